"""Stand-in payment providers and OIDC issuer for laptops and tests.

They speak the real wire protocols of Stripe and Mollie, so nothing in the product knows that it is not talking to
the real ones. ``stripe.Stripe`` and ``mollie.Mollie`` are pure: no sockets, threads, wall clock or own randomness.
The test world drives them in-process on a virtual clock; ``server`` puts them on 127.0.0.1.
"""
