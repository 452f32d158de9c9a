#!/usr/bin/env bash
# Runs each of the examples of docs/consumers.md against a sandbox, for an account that has authorized, one that never
# did, one that revoked, and with a WeChat that cannot be reached. Needs boto3 for python3, curl, and Node.js with npm;
# .ci/run installs what is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The gate's Python has boto3.
export PATH=$PWD/target/gate/bin:$PATH
built=${CARGO_TARGET_DIR:-target}/debug
work=$PWD/target/examples
# The account behind the fixed code.
account=wx5a4db0c0ffee0001
sandbox='' address='' variables=()

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

finish() {
    local status=$?
    if [[ $sandbox ]]; then
        kill "$sandbox" 2>/dev/null || true
        wait "$sandbox" 2>/dev/null || true
        ((status == 0)) || { echo 'the last lines of the sandbox:'; tail -n 20 "$work/sandbox.log"; } >&2
    fi
}
trap finish EXIT

# An example that cannot run is a failure: left out, it would pass for one that works.
check_tools() {
    command -v curl >/dev/null || fail 'curl is missing'
    python3 -c 'import boto3' || fail 'boto3 is missing: .ci/run installs it'
    command -v node >/dev/null && command -v npm >/dev/null || fail 'Node.js or npm is missing: .ci/run installs them'
    local version
    version=$(node --version)
    [[ $version =~ ^v([0-9]+) ]] && ((BASH_REMATCH[1] >= 20)) || fail "Node.js is $version; the example needs 20"
}

# Next to a copy of the program, because Node.js looks for packages beside the file; the tree stays clean. Kept for
# the next run while package.json is the same.
install_node_example() {
    local from=docs/examples/node to=$work/node
    if ! cmp -s "$from/package.json" "$to/installed.json"; then
        rm -rf "$to"
        mkdir -p "$to"
        cp "$from/package.json" "$to"
        npm install --prefix "$to" --ignore-scripts --no-audit --no-fund --loglevel=error
        cp "$from/package.json" "$to/installed.json"
    fi
    cp "$from/read-token.js" "$to"
}

# wait_for WHAT COMMAND…: until the command succeeds, for half a minute, and while the sandbox lives.
wait_for() {
    local what=$1 end=$((SECONDS + 30))
    shift
    until "$@"; do
        kill -0 "$sandbox" 2>/dev/null || fail "the sandbox ended before $what"
        ((SECONDS < end)) || fail "$what: not within half a minute"
        sleep 0.1
    done
}

# Prints the status of the answer. Nothing on the way to this machine itself is to answer instead.
request() {
    curl --silent --noproxy '*' --max-time 20 --output /dev/null --write-out '%{http_code}' "$@"
}

has_address() {
    address=$(sed -n 's|^ *Open \(http://[^ ]*\)/$|\1|p' "$work/sandbox.log")
    [[ $address ]]
}

# Never the default ports: somebody may be at work there. One that is taken in the meantime makes the sandbox
# choose another, so the address is what it prints. The time limit outlives this script if need be.
start_sandbox() {
    local port
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    # Emptied here and not by the sandbox's own redirection, or the address could be the last run's.
    : >"$work/sandbox.log"
    timeout 600 "$built/sandbox" --port "$port" >>"$work/sandbox.log" 2>&1 &
    sandbox=$!
    wait_for 'the address of the sandbox' has_address

    local lines
    lines=$("$built/sandbox" env --port "${address##*:}" | python3 -c '
import json, sys
for name, value in json.load(sys.stdin)["Parameters"].items():
    print(f"{name}={value}")')
    mapfile -t variables <<<"$lines"
}

# The redirect from the consent page, reloaded while the first ticket is still on its way.
is_authorized() {
    local code=queryauthcode%40%40%40sandbox-official-account
    [[ $(request "$address/callback?auth_code=$code&expires_in=3600") == 200 ]]
}

# The merchant's button on the start page; it leads back when the push has been delivered.
revoke() {
    [[ $(request --data "account=$account&action=revoke" "$address/sandbox") == 303 ]]
}

# run LANGUAGE NAME=VALUE…: sets `status`, and leaves what was printed in the files `out` and `err`. In a
# separate environment: what the gate or a developer has set for AWS must not help.
run() {
    local program
    case $1 in
        rust) program=("$built/examples/read_token") ;;
        python) program=(python3 docs/examples/python/read_token.py) ;;
        node) program=(node "$work/node/read-token.js") ;;
    esac
    shift
    status=0
    env -i PATH="$PATH" HOME="$work/home" "${variables[@]}" "$@" timeout 60 "${program[@]}" \
        >"$work/out" 2>"$work/err" || status=$?
}

# What went wrong, with what the program printed.
differs() {
    fail "$1: $2" "status $status" "$(cat "$work/out" "$work/err")"
}

# The number is two hours after the exchange, which lay between `$before` and `$after`.
prints_the_token_s_end_and_the_answer() {
    run "$1" "AUTHORIZER_APPID=$account"
    local pattern=$'^access_token_expires_at: ([0-9]+)\nuser/get: 0 followers$'
    [[ $status == 0 && $(<"$work/out") =~ $pattern ]] || differs "$1" 'an authorized account'
    local exchanged=$((BASH_REMATCH[1] - 7200))
    ((before <= exchanged && exchanged <= after)) || differs "$1" "exchanged at $exchanged, not $before to $after"
}

# Libraries may print warnings beside it.
refuses() {
    local language=$1 appid=$2 sentence=$3
    run "$language" "AUTHORIZER_APPID=$appid"
    [[ $status == 1 && ! -s $work/out ]] && grep -qFx "$appid $sentence" "$work/err" ||
        differs "$language" "$appid $sentence"
}

# The token is part of the URL that could not be reached. Nobody listens on port 9.
keeps_the_token_to_itself() {
    run "$1" "AUTHORIZER_APPID=$account" WECHAT_API_BASE_URL=http://127.0.0.1:9
    [[ $status == 1 && -s $work/err ]] && grep -q '^access_token_expires_at: ' "$work/out" ||
        differs "$1" 'WeChat out of reach'
    # Not printed: it would stand in the gate's log.
    ! grep -q 'access_token=' "$work/out" "$work/err" || fail "$1: prints the token when WeChat is out of reach"
}

check_tools
mkdir -p "$work/home"
cargo build --package sandbox --locked --bin sandbox --example read_token
install_node_example
start_sandbox

languages=(rust python node)
before=$(date +%s)
wait_for 'the first authorization' is_authorized
after=$(date +%s)
for language in "${languages[@]}"; do
    prints_the_token_s_end_and_the_answer "$language"
    refuses "$language" wx5a4db0c0000000ff 'has not authorized this platform'
    keeps_the_token_to_itself "$language"
done
revoke || fail 'the start page did not take the revocation'
for language in "${languages[@]}"; do
    refuses "$language" "$account" 'has revoked its authorization'
done
echo "read the token, and refused to, as promised: ${languages[*]}"
