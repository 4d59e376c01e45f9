#!/bin/sh
# Create the virtual environment $1 from requirements.lock, with $PYTHON. Called by the Makefile.
set -eu
venv=$1

echo "Setting up $venv from requirements.lock (once; a few minutes, 3 GB)"
rm -rf "$venv"

# Debian and Ubuntu ship Python without ensurepip; the package python3-venv brings it.
if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
    package=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package"
        { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$package"; } >/dev/null
    else
        echo "Python's venv module is incomplete here. Run: sudo apt-get install $package" >&2
        exit 2
    fi
fi

"$PYTHON" -m venv "$venv"
# The lock is complete, so nothing is resolved. Byte-compiling in parallel afterwards (TensorFlow
# imports three times slower without it) takes half the time of pip's own, sequential, compiling.
"$venv/bin/python" -m pip install --quiet --no-deps --require-hashes --no-compile --progress-bar on \
    --disable-pip-version-check -r requirements.lock
"$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --no-compile \
    --disable-pip-version-check --editable .
env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m compileall -qq -j 0 "$venv/lib" || true
