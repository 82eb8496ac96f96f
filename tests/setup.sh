# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034
# What demo.sh and test.sh need of a machine: checks it, installs what is missing, builds.
# Sourced by them, with the root of the source tree as the working directory.

FELIX_BUILD_PACKAGES=(
  build-essential cmake ninja-build pkg-config
  libabsl-dev libboost-dev libiptc-dev libip4tc-dev libip6tc-dev libxtables-dev libipset-dev
  libmnl-dev rapidjson-dev libbenchmark-dev libgtest-dev libgmock-dev libyaml-cpp-dev libcli11-dev
  libfmt-dev libspdlog-dev libssl-dev zlib1g-dev libzstd-dev openssl etcd-server etcd-client
  curl gzip zstd
  iptables ipset iproute2 procps util-linux
)
FELIX_FULL_PACKAGES=(clang clang-format clang-tidy libclang-rt-14-dev)

setup_say() { printf '== %s\n' "$*"; }

# setup_cannot_run REASON: says why, and ends the script with status 2.
setup_cannot_run() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 2
}

setup_require_root() {
  [[ $EUID -eq 0 ]] || setup_cannot_run \
    'needs root: it makes network namespaces and writes firewall tables in them (never in the' \
    'one of the machine). Run it as root or with sudo.'
}

setup_require_debian() {
  local id='' version='' name=''
  if [[ -r /etc/os-release ]]; then
    id=$(. /etc/os-release && printf '%s %s' "${ID:-}" "${ID_LIKE:-}")
    version=$(. /etc/os-release && printf '%s' "${VERSION_ID:-}")
    name=$(. /etc/os-release && printf '%s' "${PRETTY_NAME:-}")
  fi
  if [[ " $id " != *' debian '* ]] || ! command -v apt-get dpkg-query > /dev/null; then
    setup_cannot_run "needs Debian 12 or a relative of it, with apt-get; this is ${name:-unknown}"
  fi
  if [[ $id == debian* && $version != 12* ]]; then
    setup_say "made for Debian 12, and this is $name: trying all the same"
  fi
}

setup_is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2> /dev/null) == installed ]]
}

# setup_install PACKAGE...: installs those that are missing; asks nobody if none is.
setup_install() {
  local package
  local -a missing=()
  for package; do
    setup_is_installed "$package" || missing+=("$package")
  done
  if [[ ${#missing[@]} -eq 0 ]]; then
    setup_say "all $# Debian packages are installed"
    return
  fi
  setup_say "installing ${#missing[@]} of $# Debian packages: ${missing[*]}"
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "${missing[@]}"
}

# setup_build PRESET [TARGET...]: configures and builds the targets, or everything. What stands in
# SETUP_RUNNER, if anything, runs the tools.
SETUP_RUNNER=()
setup_build() {
  local preset=$1
  shift
  setup_say "configuring and building: $preset"
  "${SETUP_RUNNER[@]}" cmake --preset "$preset" &&
    "${SETUP_RUNNER[@]}" cmake --build --preset "$preset" --parallel "$(nproc)" ${1:+--target "$@"}
}
