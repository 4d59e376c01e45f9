"""The colours of all pictures and pages, as hexadecimal codes; nothing else is imported with them.

They can be told apart by people who are colour-blind.

References
----------
Okabe and Ito (2008), "Color universal design: how to make figures and presentations that are
friendly to colorblind people".
"""

BLACK, GREY, LIGHT_GREY = "#000000", "#595959", "#E3E3E3"
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#E69F00", "#009E73", "#CC79A7"
VERMILLION, SKY_BLUE, YELLOW = "#D55E00", "#56B4E9", "#F0E442"

NETWORK = BLUE
OTHERS = (ORANGE, GREEN, PURPLE, SKY_BLUE, VERMILLION, YELLOW)  # baselines, or further runs
CUT_OFF = BLACK
BETTER, WORSE, UNDECIDED = GREEN, VERMILLION, GREY
TRAINING_LOSS, VALIDATION_LOSS = ORANGE, BLUE
EVIDENCE = VERMILLION
"""The epochs that gave a verdict; shaded."""
