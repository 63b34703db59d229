"""Trying scripts out: a real gateway in a temporary folder, from which nothing leaves.

From the outside: `house.throw_away_gateway` is that gateway, `examine.examine_scripts` looks at
scripts with what is in it, `rehearsal.rehearse` runs a script in it.
"""
