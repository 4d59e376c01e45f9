#!/bin/sh
# Create the virtual environment $1 from requirements.lock, with $PYTHON. Called by the Makefile.
# On a terminal each step counts its seconds; elsewhere it is one plain line.
set -eu
venv=$1
number=0

# The step described by $1 runs the other arguments; where they fail, so does this script.
step() {
    number=$((number + 1))
    what="$number of 4: $1"
    shift
    begun=$(date +%s)
    [ -t 1 ] || echo "  $what"
    "$@" &
    running=$!
    # A process in the background does not hear Ctrl-C.
    trap 'kill "$running" 2>/dev/null; exit 130' INT
    trap 'kill "$running" 2>/dev/null; exit 143' TERM
    while [ -t 1 ] && kill -0 "$running" 2>/dev/null; do
        printf '\r  %s ... %d s ' "$what" "$(($(date +%s) - begun))"
        sleep 1
    done
    wait "$running" || { failed=$?; [ ! -t 1 ] || echo; exit "$failed"; }
    [ ! -t 1 ] || printf '\r  %s: %d s     \n' "$what" "$(($(date +%s) - begun))"
}

create_environment() {
    # Debian and Ubuntu ship Python without ensurepip; the package python3-venv brings it.
    if ! "$PYTHON" -c 'import ensurepip' 2>/dev/null; then
        package=$("$PYTHON" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
            { apt-get -qq update && apt-get -qq install -y --no-install-recommends "$package"; } >/dev/null
        else
            echo "Python's venv module is incomplete here. Run: sudo apt-get install $package" >&2
            return 2
        fi
    fi
    "$PYTHON" -m venv "$venv"
}

# The lock is complete, so nothing is resolved.
install_packages() {
    "$venv/bin/python" -m pip install --quiet --no-deps --require-hashes --no-compile \
        --progress-bar off --disable-pip-version-check -r requirements.lock
}

install_project() {
    "$venv/bin/python" -m pip install --quiet --no-deps --no-build-isolation --no-compile \
        --disable-pip-version-check --editable .
}

# Byte-compiling in parallel (TensorFlow imports three times slower without it) takes half the time
# of pip's own, sequential, compiling. A sixth of it all are packages' own tests, which nobody imports.
compile_packages() {
    env -u PYTHONDONTWRITEBYTECODE "$venv/bin/python" -m compileall -qq -j 0 -x '/site-packages/.*/tests/' \
        "$venv/lib" || true
}

echo "Setting up $venv from requirements.lock: once, a few minutes, 4 GB"
rm -rf "$venv"
step "a Python environment (seconds)" create_environment
step "the packages (most of the time: they are downloaded)" install_packages
step "this project (seconds)" install_project
step "compiling what was installed (about a minute)" compile_packages
