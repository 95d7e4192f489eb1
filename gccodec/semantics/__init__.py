"""What of a picture is kept and from what the rest is made: label maps, rules, masks, regions."""
