# shellcheck shell=bash
# What the gate and e2e/deploy-local.sh share. They source it in the project's folder.

tools=$PWD/target/gate
emulator=$PWD/target/gate-emulator
export PATH=$tools/bin:$PATH
export SAM_CLI_TELEMETRY=0
# SAM wants a region even where it calls nobody.
export AWS_DEFAULT_REGION=us-east-1

heading=start
trap '(($? == 0)) || printf "\n== failed: %s\n" "$heading" >&2' EXIT

# step HEADING COMMAND…: runs it, and says how long it took, or that it failed.
step() {
    heading=$1
    shift
    printf '\n== %s\n' "$heading"
    local started=$SECONDS
    "$@"
    printf -- '-- %s: %d s\n' "$heading" $((SECONDS - started))
}

# The browser that the machine has.
find_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome
}

# install_programs NAME…: those that the machine lacks, with Debian's packages. `cc` is for the cryptography, `venv` for
# the tools in Python, `cjk` is a font for Chinese.
install_programs() {
    local name missing=()
    for name; do
        case $name in
            cc) command -v cc >/dev/null || missing+=(gcc libc6-dev) ;;
            venv) python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv) ;;
            chromium) find_browser >/dev/null || missing+=(chromium) ;;
            cjk) [[ $(fc-list :lang=zh 2>/dev/null) ]] || missing+=(fontconfig fonts-noto-cjk) ;;
            npm) command -v npm >/dev/null || missing+=(nodejs npm) ;;
            *) command -v "$name" >/dev/null || missing+=("$name") ;;
        esac
    done
    if ((${#missing[@]})); then
        local root=()
        ((UID == 0)) || root=(sudo)
        "${root[@]}" apt-get update -qq
        "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
    fi
}

# install_packages LOCK DIRECTORY: the packages of a lock file, in an environment of their own that is kept for the next
# run while the lock is the same. A file with another hash is refused. The lock names every package, so pip adds none.
install_packages() {
    local lock=$1 directory=$2
    cmp -s "$lock" "$directory/lock.txt" && return
    rm -rf "$directory"
    python3 -m venv "$directory"
    "$directory/bin/pip" install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement "$lock"
    "$directory/bin/pip" check
    cp "$lock" "$directory/lock.txt"
}

# What builds, deploys and emulates the stack.
install_stack_tools() {
    install_programs cc venv
    install_packages .ci/requirements/tools.txt "$tools"
    install_packages .ci/requirements/emulator.txt "$emulator"
    sam --version
    cargo lambda --version
    rustc --version
}

# The artifact as it is deployed, for this machine's own processor: the target of the other one may be missing.
build_functions() {
    local architecture=x86_64
    [[ $(uname -m) == aarch64 ]] && architecture=arm64
    # An old artifact would pass for a new one.
    rm -rf target/lambda .aws-sam
    sam build --parameter-overrides "Architecture=$architecture"

    local first='' bootstrap
    for bootstrap in .aws-sam/build/*Function/bootstrap; do
        [[ -x $bootstrap ]] || { echo "$bootstrap is not there" >&2; return 1; }
        first=${first:-$bootstrap}
        cmp "$first" "$bootstrap"
        # sam build has read .cargo/config.toml: src/http.rs.
        grep -q 'AWS_LC_SYS_NO_JITTER_ENTROPY=1' "$bootstrap" || { echo "$bootstrap starts slowly" >&2; return 1; }
        printf '%s %s bytes\n' "$bootstrap" "$(stat -c %s "$bootstrap")"
    done
}
