#!/bin/sh
# Installs what the example needs, inside its own folder: brain's packages and the built page.
set -eu
cd "$(dirname "$0")"
python3 -m venv .venv
.venv/bin/pip install --quiet -r services/requirements.txt
npm --prefix web ci --silent
npm --prefix web run --silent build
