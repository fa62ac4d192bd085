"""The relay: item versions become events on the bus."""
