"""How fast this project trains, beside what one would write without it. Start: ``make bench``."""
