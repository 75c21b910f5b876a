# Shared by the scripts beside it; sourced, not run.

# The repository, wherever the script is called from.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '%s\n' "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Installs the Debian packages that are not there yet: `packages name...`. Asks for nothing.
packages() {
    local missing=() name
    for name in "$@"; do
        # A package that another one replaces (libfoo by libfoo-t64) counts as installed.
        if ! dpkg-query -W -f '${Status}\n' "$name" "$name"t64 2>/dev/null | grep -q '^install ok installed$'; then
            missing+=("$name")
        fi
    done
    [ ${#missing[@]} -eq 0 ] && return 0
    if ! command -v apt-get >/dev/null; then
        say "missing: ${missing[*]}; install them with this system's package manager (the names are Debian's)"
        return 1
    fi
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            say "missing: ${missing[*]}; run as root: apt-get install ${missing[*]}"
            return 1
        fi
        as_root=(sudo)
        # Nobody can type a password there.
        [ -t 0 ] || as_root=(sudo -n)
    fi
    say "installing: ${missing[*]}"
    local get=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    "${get[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >/dev/null 2>&1 && return 0
    # Lists may be missing or old on a machine that was just made.
    "${get[@]}" update </dev/null >&2 || say "apt-get update failed; trying with the lists that are there"
    if ! "${get[@]}" install -y --no-install-recommends "${missing[@]}" </dev/null >&2; then
        say "could not install: ${missing[*]}"
        return 1
    fi
}

# What building needs.
need_toolchain() {
    [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ] && PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    if ! command -v cargo >/dev/null; then
        die "cargo is not installed; get Rust 1.95 or later from https://rustup.rs and run this again"
    fi
    command -v cc >/dev/null && command -v pkg-config >/dev/null || packages gcc libc6-dev pkg-config ||
        die "a C linker and pkg-config are needed to build"
}

# What a window needs to run: keyboard maps, X11 and Wayland clients, and Vulkan and GL in software where there is
# no graphics card. Loaded at run time, so the build does not need them.
window_packages=(
    libx11-6 libx11-xcb1 libxcb1 libxcursor1 libxi6 libxrandr2 libxkbcommon0 libxkbcommon-x11-0 libfontconfig1
    libwayland-client0 libwayland-egl1 libegl1 libgl1 libgl1-mesa-dri libvulkan1 mesa-vulkan-drivers
)
