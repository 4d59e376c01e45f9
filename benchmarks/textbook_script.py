"""Give Me Some Credit as in a tutorial: one script from a CSV file to an evaluated network.

``python benchmarks/textbook_script.py FILE.csv`` prints one JSON line. It splits the rows as the
use case does, so that both use the same validation rows.
"""

import json
import sys
import time

import keras
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

TARGET = "SeriousDlqin2yrs"
EPOCHS = 20

keras.utils.set_random_seed(0)
table = pd.read_csv(sys.argv[1], index_col="id").drop_duplicates()
split = {"random_state": 42}
rest, test = train_test_split(table, test_size=0.2, stratify=table[TARGET], **split)
train, validation = train_test_split(rest, test_size=0.25, stratify=rest[TARGET], **split)

scale = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
x_train = scale.fit_transform(train.drop(columns=TARGET))
x_validation, x_test = (scale.transform(part.drop(columns=TARGET)) for part in (validation, test))

start = time.perf_counter()
model = keras.Sequential(
    [
        keras.layers.Input((x_train.shape[1],)),
        keras.layers.Dense(32, activation="relu"),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
history = model.fit(
    x_train,
    train[TARGET],
    batch_size=32,
    epochs=EPOCHS,
    validation_data=(x_validation, validation[TARGET]),
    verbose=0,
)
seconds = time.perf_counter() - start
test_auc = roc_auc_score(test[TARGET], model.predict(x_test, verbose=0)[:, 0])
print(
    json.dumps(
        {
            "fit_seconds": seconds,
            "val_loss": history.history["val_loss"][-1],
            "best_val_loss": min(history.history["val_loss"]),
            "validation_rows": len(validation),
            "validation_events": int(validation[TARGET].sum()),
            "test_roc_auc": test_auc,
        }
    )
)
