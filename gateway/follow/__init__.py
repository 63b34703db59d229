"""Following other servers: their new instances are taken as their `/changes` tell of them."""
