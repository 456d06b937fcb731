"""Examples for `--help`: by the name of a command, lines as they are typed."""

EXAMPLES = {
    "dev": """
  groundfog dev
  groundfog dev src/other.py --port 3000 --env staging
  groundfog dev --var GREETING:hello LIMIT:3 --migrate
  groundfog dev -c api/wrangler.toml -c auth/wrangler.toml
  groundfog dev --local-protocol https --live-reload
""",
    "init": """
  groundfog init my-shop
  groundfog init my-shop --template workflow
""",
    "exec": """
  groundfog exec -- npm test
  groundfog exec --clock virtual --state seeded -- go test ./...
""",
    "check": """
  groundfog check
  groundfog check --determinism --json
""",
    "sync": """
  groundfog sync
  groundfog sync --upgrade
""",
    "types": """
  groundfog types
  groundfog types --check
""",
    "test new": """
  groundfog test new orders latest
  groundfog test new "GET /orders"
""",
    "doctor": """
  groundfog doctor
  groundfog doctor --json
""",
    "complete": """
  groundfog complete bash >> ~/.bashrc
  groundfog complete zsh >> ~/.zshrc
  groundfog complete fish > ~/.config/fish/completions/groundfog.fish
""",
    "d1 list": """
  groundfog d1 list
  groundfog d1 list --json
""",
    "d1 delete": """
  groundfog d1 delete DB
  groundfog d1 delete DB --yes
""",
    "d1 execute": """
  groundfog d1 execute DB --command "SELECT 1 + 1"
  groundfog d1 execute DB --file seed.sql
""",
    "d1 export": """
  groundfog d1 export DB --output backup.sql
  groundfog d1 export DB --output users.sql --table users --no-schema
""",
    "d1 import": """
  groundfog d1 import --from-wrangler
  groundfog d1 import DB --from-wrangler --yes
""",
    "d1 info": """
  groundfog d1 info DB
  groundfog d1 info DB --json
""",
    "d1 path": """
  groundfog d1 path DB
""",
    "d1 migrations list": """
  groundfog d1 migrations list DB
  groundfog d1 migrations list DB --json
""",
    "d1 migrations apply": """
  groundfog d1 migrations apply DB
""",
    "d1 migrations create": """
  groundfog d1 migrations create DB "add users"
""",
    "kv key get": """
  groundfog kv key get user:1 --binding CACHE --text
""",
    "kv key put": """
  groundfog kv key put user:1 Ada --binding CACHE
  groundfog kv key put logo --path logo.png --binding CACHE --ttl 3600
""",
    "kv key list": """
  groundfog kv key list --binding CACHE --prefix user:
""",
    "kv key delete": """
  groundfog kv key delete user:1 --binding CACHE
""",
    "kv bulk get": """
  groundfog kv bulk get keys.json --binding CACHE
""",
    "kv bulk put": """
  groundfog kv bulk put pairs.json --binding CACHE
""",
    "kv bulk delete": """
  groundfog kv bulk delete keys.json --binding CACHE
""",
    "kv namespace list": """
  groundfog kv namespace list
""",
    "kv import": """
  groundfog kv import --from-wrangler
""",
    "r2 object get": """
  groundfog r2 object get photos/cat.png --file cat.png
""",
    "r2 object put": """
  groundfog r2 object put photos/cat.png --file cat.png
""",
    "r2 object delete": """
  groundfog r2 object delete photos/cat.png
""",
    "r2 bucket list": """
  groundfog r2 bucket list --json
""",
    "r2 bucket info": """
  groundfog r2 bucket info photos
""",
    "r2 import": """
  groundfog r2 import --from-wrangler
""",
    "vectorize create": """
  groundfog vectorize create docs --dimensions 768 --metric cosine
  groundfog vectorize create docs --preset @cf/baai/bge-base-en-v1.5
""",
    "vectorize create-metadata-index": """
  groundfog vectorize create-metadata-index docs --property-name lang --type string
""",
    "vectorize delete": """
  groundfog vectorize delete docs --force
""",
    "vectorize delete-metadata-index": """
  groundfog vectorize delete-metadata-index docs --property-name lang
""",
    "vectorize delete-vectors": """
  groundfog vectorize delete-vectors docs --ids a b
""",
    "vectorize get": """
  groundfog vectorize get docs --json
""",
    "vectorize get-vectors": """
  groundfog vectorize get-vectors docs --ids a b
""",
    "vectorize info": """
  groundfog vectorize info docs
""",
    "vectorize insert": """
  groundfog vectorize insert docs --file vectors.ndjson
""",
    "vectorize list": """
  groundfog vectorize list
""",
    "vectorize list-metadata-index": """
  groundfog vectorize list-metadata-index docs
""",
    "vectorize list-vectors": """
  groundfog vectorize list-vectors docs --count 100
""",
    "vectorize query": """
  groundfog vectorize query docs --vector-id a --top-k 3
""",
    "vectorize upsert": """
  groundfog vectorize upsert docs --file vectors.ndjson
""",
    "ai calls": """
  groundfog ai calls
  groundfog ai calls --follow --errors
""",
    "ai models": """
  groundfog ai models
  groundfog ai models llama --json
""",
    "ai run": """
  groundfog ai run @cf/meta/llama-3.1-8b-instruct "What is fog?"
  groundfog ai run @cf/baai/bge-base-en-v1.5 '{"text": ["fog", "mist"]}'
""",
    "ai rules": """
  groundfog ai rules
""",
    "ai clear": """
  groundfog ai clear
""",
    "cron list": """
  groundfog cron list --json
""",
    "cron run": """
  groundfog cron run "0 9 * * *"
""",
    "analytics points": """
  groundfog analytics points visits --limit 5
""",
    "analytics query": """
  groundfog analytics query "SHOW TABLES FORMAT TabSeparated"
""",
    "email list": """
  groundfog email list
  groundfog email list --way sent --json
""",
    "email show": """
  groundfog email show 3
  groundfog email show 3 --raw > mail.eml
""",
    "secrets-store secret create": """
  groundfog secrets-store secret create my-store --name api-key --value secret
""",
    "secrets-store secret list": """
  groundfog secrets-store secret list my-store
""",
    "secrets-store secret delete": """
  groundfog secrets-store secret delete my-store --name api-key
""",
    "queues list": """
  groundfog queues list --json
""",
    "do list": """
  groundfog do list
  groundfog do list Counter --json
""",
    "do storage": """
  groundfog do storage Counter one
""",
    "do alarm": """
  groundfog do alarm Counter one
""",
    "queues info": """
  groundfog queues info jobs
""",
    "queues send": """
  groundfog queues send jobs '{"id": 7}'
""",
    "queues pause-delivery": """
  groundfog queues pause-delivery jobs
""",
    "queues resume-delivery": """
  groundfog queues resume-delivery jobs
""",
    "queues purge": """
  groundfog queues purge jobs
""",
    "workflows list": """
  groundfog workflows list
""",
    "workflows describe": """
  groundfog workflows describe orders
""",
    "workflows trigger": """
  groundfog workflows trigger orders '{"user": 7}'
  groundfog workflows trigger orders '{"user": 7}' --wait
""",
    "workflows delete": """
  groundfog workflows delete orders
""",
    "workflows check": """
  groundfog workflows check
  groundfog workflows check --history tests/histories
""",
    "workflows fuzz": """
  groundfog workflows fuzz orders '{"user": 7}'
""",
    "workflows size": """
  groundfog workflows size
""",
    "workflows instances list": """
  groundfog workflows instances list orders --status errored
""",
    "workflows instances describe": """
  groundfog workflows instances describe orders
  groundfog workflows instances describe orders order-17 --follow
""",
    "workflows instances pause": """
  groundfog workflows instances pause orders order-17
""",
    "workflows instances resume": """
  groundfog workflows instances resume orders order-17
  groundfog workflows instances resume orders order-17 --rename charge=bill
""",
    "workflows instances restart": """
  groundfog workflows instances restart orders order-17 --from-step-name charge
""",
    "workflows instances terminate": """
  groundfog workflows instances terminate orders latest
""",
    "workflows instances skip": """
  groundfog workflows instances skip orders latest
  groundfog workflows instances skip orders order-17 --step rest-1
""",
    "workflows instances send-event": """
  groundfog workflows instances send-event orders order-17 --type approved --payload '{"by": "ada"}'
""",
    "workflows instances delete": """
  groundfog workflows instances delete orders order-17
""",
    "workflows instances export": """
  groundfog workflows instances export orders order-17 > tests/histories/order-17.json
""",
    "workflows instances fork": """
  groundfog workflows instances fork orders order-17 --from charge
""",
    "workflows instances diff": """
  groundfog workflows instances diff orders order-17 order-18
""",
    "workflows instances prune": """
  groundfog workflows instances prune orders --older-than "7 days"
""",
    "clock show": """
  groundfog clock show
""",
    "clock advance": """
  groundfog clock advance "30 days"
""",
    "clock next": """
  groundfog clock next
""",
    "clock run": """
  groundfog clock run
""",
    "clock freeze": """
  groundfog clock freeze
""",
    "state path": """
  groundfog state path
""",
    "state reset": """
  groundfog state reset --yes
""",
    "state save": """
  groundfog state save seeded
""",
    "state load": """
  groundfog state load seeded
""",
    "state list": """
  groundfog state list --json
""",
    "state export": """
  groundfog state export seeded seeded.state
""",
    "state import": """
  groundfog state import seeded.state
""",
    "state diff": """
  groundfog state diff before after
""",
    "state delete": """
  groundfog state delete seeded
""",
}
