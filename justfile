# Lists the recipes.
default:
    @just --list

# Runs the product on this machine and prints the address to open.
sandbox *ARGS:
    cargo run -p sandbox -- {{ ARGS }}

# Runs the tests; arguments go to cargo test.
test *ARGS:
    cargo test --workspace --locked {{ ARGS }}

# Runs the gate: everything that must hold before a change lands.
check:
    bash .ci/run

# Builds what is deployed, for example `just build --config-env local`.
build *ARGS:
    sam build {{ ARGS }}

# Builds and deploys to AWS; the first time `just deploy --guided`.
deploy *ARGS: build
    sam deploy {{ ARGS }}

# Hands one event file to its function in the sandbox: `just invoke events/callback.json`.
invoke EVENT:
    cargo run -p sandbox -- invoke {{ EVENT }}

# Starts reconcile in the deployed stack; its log shows the outcome. `just reconcile true` only reports.
reconcile DRY_RUN='false':
    sam remote invoke ReconcileFunction --event '{"dry_run": {{ DRY_RUN }}}' --parameter InvocationType=Event
