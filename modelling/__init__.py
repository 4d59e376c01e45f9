"""From a table to a judged model, in numpy, pandas, scikit-learn and Keras alone."""
