"""How fast this project trains, compared with what one would otherwise write: ``make bench``."""
