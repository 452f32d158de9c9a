# The stack that the recipes below `logs` are about.
export STACK := env("STACK", "wechat-authorizer")

set positional-arguments

# Lists the recipes.
default:
    @just --list

# Runs the product on this machine and prints the address to open.
sandbox *ARGS:
    cargo run -p sandbox -- {{ ARGS }}

# Hands one event file to its function in the sandbox: `just invoke events/callback.json`.
invoke EVENT:
    cargo run -p sandbox -- invoke {{ EVENT }}

# Runs the tests; arguments go to cargo test.
test *ARGS:
    cargo test --workspace --locked {{ ARGS }}

# Runs the gate: everything that must hold before a change lands.
check:
    bash .ci/run

# Locks the gate's Python tools anew after a change in .ci/requirements; `just lock --upgrade` takes the newest. Needs uv.
lock *ARGS:
    cd .ci/requirements && for name in tools scanner emulator; do \
        uv pip compile --quiet --universal --python-version 3.11 --generate-hashes {{ ARGS }} \
            --output-file $name.txt $name.in || exit; \
    done

# Builds what is deployed, for example `just build --config-env local`.
build *ARGS:
    sam build {{ ARGS }}

# Asks four questions, writes samconfig.toml, builds, deploys, and says what goes into WeChat's console.
setup:
    @python3 ops/setup.py
    just deploy
    @just console

# Says what goes into which field of WeChat's console.
console:
    @python3 ops/stack.py console

# Keeps updates from replacing tables, secret, key, API, domain and addresses, and the stack from being deleted by mistake.
protect:
    @python3 ops/stack.py protect

# Builds and deploys to AWS; the first time `just deploy --guided`.
deploy *ARGS: build
    sam deploy {{ ARGS }}

# Deploys to an emulator of AWS on this machine and prints the address to open; Ctrl-C ends it.
deploy-local:
    bash e2e/deploy-local.sh

# Follows a function's log. Of one visit: `just logs visits --start-time '1 day ago' --filter '"<reference>"'`.
logs FUNCTION='visits' *ARGS='--tail':
    @shift; sam logs --cw-log-group "/aws/lambda/$STACK/{{ FUNCTION }}" "$@"

# Checks, in the deployed network, what keeps the platform from working, and says what to do.
doctor:
    @python3 ops/stack.py doctor

# Restores what WeChat's list has and the table lacks. `just reconcile --dry-run` only reports; `--all` compares every account.
reconcile *ARGS:
    @python3 ops/stack.py reconcile {{ ARGS }}

# Takes over every account of a platform that another system served.
import *ARGS:
    @python3 ops/stack.py import {{ ARGS }}

# Looks, before a first deployment, whether the account has what it needs; changes nothing.
preflight *ARGS:
    @python3 ops/preflight.py {{ ARGS }}

# Lists what failed or deleted stacks of this name have left behind; `just leftovers --remove` removes it.
leftovers *ARGS:
    @python3 ops/stack.py leftovers {{ ARGS }}

# Puts AppSecret, 消息校验Token and 消息加解密Key, asked for without showing them or read from a JSON file.
rotate-secret *ARGS:
    @python3 ops/stack.py rotate-secret {{ ARGS }}
