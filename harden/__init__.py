"""What is hardened and how it shows: product description, controls, templates, the in-guest bundle."""
