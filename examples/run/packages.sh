#!/bin/sh
# Installs the packages of pypi.toml, npm.toml and database.toml, in pinned versions, and builds the Go
# program of go.toml. Usage: packages.sh [FOLDER]. The programs look for them in the folder `packages` beside
# this script, which is where they go if no folder is given.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
folder=${1:-$here/packages}

fail() {
    echo "packages.sh: $1" >&2
    exit 1
}

python=/usr/bin/python3
[ -x "$python" ] || fail "there is no $python: install python3"
"$python" -m pip --version >/dev/null 2>&1 || fail "$python has no pip: install python3-pip"
command -v npm >/dev/null || fail "there is no npm: install npm"

mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# Each version in a folder of its own, as NAME-VERSION. It is there when it is whole.
from_pypi() {
    [ -d "$folder/$1-$2" ] && return
    rm -rf "$folder/new"
    "$python" -m pip install --quiet --disable-pip-version-check --root-user-action=ignore --no-deps \
        --no-compile --target "$folder/new" "$1==$2" || fail "pip cannot install $1 $2"
    mv "$folder/new" "$folder/$1-$2"
}

from_npm() {
    [ -d "$folder/$1-$2" ] && return
    rm -rf "$folder/new"
    mkdir "$folder/new"
    npm install --silent --no-audit --no-fund --no-save --no-package-lock --ignore-scripts \
        --prefix "$folder/new" "$1@$2" || fail "npm cannot install $1 $2"
    mv "$folder/new" "$folder/$1-$2"
}

from_pypi filelock 3.20.0
from_pypi filelock 3.20.1
from_pypi filelock 4.3.1
from_pypi psycopg2-binary 2.9.10
from_npm steno 2.1.0
from_npm write-file-atomic 1.1.4
from_npm lockfile 1.0.4
from_npm proper-lockfile 4.1.2
from_npm pg 8.13.1

# Go is a large package, so its programs are left out where it is missing.
if command -v go >/dev/null; then
    mkdir -p "$folder/go"
    (cd "$here/go" && CGO_ENABLED=0 GO111MODULE=off go build -o "$folder/go/download" download.go) ||
        fail "go cannot build download.go"
else
    echo "packages.sh: there is no go, so go.toml cannot run: install golang-go" >&2
fi
