#!/usr/bin/env bash
# What does this machine still lack, and how does it get it?
#
# setup.sh build   what `make run` needs: a C compiler, OpenSSL's headers, root certificates, Rust
# setup.sh test    also what the tests need: a JDK, Maven (a real Kafka, the Java consumer), Python, valgrind
# setup.sh bench   what the benchmark needs: as the tests, and the gateway that it compares with
# setup.sh faults  what the fault experiments need: as the benchmark, a balancer, file systems, a clock
#
# Installs only what is missing. Debian packages come from apt, through sudo when not root.
set -euo pipefail
cd "$(dirname "$0")/.."

BUILD_PACKAGES=(build-essential pkg-config libssl-dev ca-certificates)
TEST_PACKAGES=(default-jdk-headless maven python3 python3-venv valgrind)
FAULT_PACKAGES=(haproxy faketime e2fsprogs mount util-linux)

say() { printf 'set-up: %s\n' "$*"; }
fail() {
    printf 'set-up: %s\n' "$@" >&2
    exit 1
}

# Does the machine have what this package is wanted for, wherever it came from?
present() {
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]; then
        return 0
    fi
    case "$1" in
    build-essential) command -v cc && command -v c++ && command -v make ;;
    pkg-config) command -v pkg-config ;;
    libssl-dev) pkg-config --exists openssl ;;
    ca-certificates) [ -s /etc/ssl/certs/ca-certificates.crt ] || [ -s /etc/pki/tls/certs/ca-bundle.crt ] ;;
    default-jdk-headless) command -v java && [ "$(javac -version 2>&1 | sed -n 's/^javac \([0-9]*\).*/\1/p')" -ge 17 ] ;;
    maven) command -v mvn ;;
    valgrind) command -v valgrind ;;
    python3) python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ;;
    haproxy) command -v haproxy || [ -x /usr/sbin/haproxy ] ;;
    faketime) [ -n "$(find /usr/lib /usr/lib64 -name libfaketimeMT.so.1 -print -quit)" ] ;;
    e2fsprogs) command -v mkfs.ext4 || [ -x /sbin/mkfs.ext4 ] ;;
    mount) command -v mount && command -v umount ;;
    util-linux) command -v setpriv && command -v prlimit ;;
    python3-venv) python3 -c 'import venv, ensurepip' ;;
    *) return 1 ;;
    esac >/dev/null 2>&1
}

system_packages() {
    local package missing=()
    for package in "$@"; do
        present "$package" || missing+=("$package")
    done
    if [ ${#missing[@]} -eq 0 ]; then
        return
    fi
    command -v apt-get >/dev/null || fail \
        "this machine lacks what Debian calls: ${missing[*]}" \
        "it has no apt-get, so install them with its own package manager, then run make again"

    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || fail \
            "missing packages: ${missing[*]}" \
            "installing them takes root and there is no sudo; as root: apt-get install ${missing[*]}"
        as_root=(sudo)
        # Nobody can type a password where there is no terminal.
        [ -t 0 ] || as_root=(sudo -n)
    fi
    say "installing ${missing[*]} with apt-get"
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q)
    "${apt[@]}" update >/dev/null || fail \
        "apt-get update failed (its words are above): no network, or no right to run it through sudo" \
        "install by hand, then run make again: apt-get install ${missing[*]}"
    "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null || fail \
        "apt-get could not install ${missing[*]} (its words are above)"
}

toolchain() {
    local version component tool
    version=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
    command -v rustup >/dev/null || fail \
        "rustup is not there, neither in PATH nor in ${CARGO_HOME:-$HOME/.cargo}/bin" \
        "install it from https://rustup.rs (or Debian's package rustup), then run make again"
    if ! grep -qE "^${version//./\\.}(-| |\$)" <<<"$(rustup toolchain list)"; then
        say "installing Rust $version with rustup"
        rustup toolchain install "$version" --profile minimal -c rustfmt,clippy || fail \
            "rustup could not install Rust $version (its words are above): is the network there?"
        return
    fi
    for component in rustfmt clippy; do
        tool=${component/clippy/cargo-clippy}
        if ! rustup which --toolchain "$version" "$tool" >/dev/null 2>&1; then
            say "adding $component to Rust $version"
            rustup component add --toolchain "$version" "$component" || fail \
                "rustup could not add $component (its words are above): is the network there?"
        fi
    done
}

# rustup's directory comes first: a distribution's own cargo does not read rust-toolchain.toml.
export PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
case "${1:-}" in
build)
    system_packages "${BUILD_PACKAGES[@]}"
    toolchain
    ;;
test)
    system_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    toolchain
    scripts/kafka-jars.sh
    examples/python/run.sh --set-up
    examples/java/run.sh --set-up
    ;;
bench)
    system_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}"
    toolchain
    scripts/kafka-jars.sh
    scripts/mq-bridge.sh
    ;;
faults)
    system_packages "${BUILD_PACKAGES[@]}" "${TEST_PACKAGES[@]}" "${FAULT_PACKAGES[@]}"
    toolchain
    scripts/kafka-jars.sh
    scripts/mq-bridge.sh
    ;;
*) fail "usage: scripts/setup.sh build|test|bench|faults" ;;
esac
say "everything is there"
