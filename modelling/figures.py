"""Pictures of a training, readable on a phone: large type, one message each."""

from matplotlib.figure import Figure

from modelling.history import History


def draw_learning_curve(history: History, title: str) -> Figure:
    """Training and validation loss by epoch (from 1), with the best epoch marked."""
    loss, val_loss = history.metrics["loss"], history.metrics["val_loss"]
    epochs = range(1, len(loss) + 1)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(epochs, loss, label="loss (training rows)", linewidth=2)
    axes.plot(epochs, val_loss, label="val_loss (validation rows)", linewidth=2)
    best = history.best_epoch
    axes.axvline(best + 1, color="grey", linestyle=":", linewidth=1.5)
    axes.plot(best + 1, val_loss[best], "o", color="C1", markersize=8)
    axes.annotate(
        f"best epoch {best + 1}: {val_loss[best]:.4g}",
        (best + 1, val_loss[best]),
        xytext=(8, 12),
        textcoords="offset points",
    )
    axes.set(title=title, xlabel="epoch", ylabel="loss")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure
