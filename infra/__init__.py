"""Everything around the functions: build, deploy, the platform on one machine, the `mandje` command."""
