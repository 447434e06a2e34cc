package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples are what the help of each command shows that one could type, by the path of the command behind "polyvoke".
var examples = map[string]string{
	"": `
  polyvoke serve                        # NATS and polyvoke on this machine
  polyvoke deploy greet.wasm            # put a function there
  polyvoke call greet '{"name":"Ada"}'  # call it, as nats req fn.greet does`,
	"new": `
  polyvoke new go shout
  polyvoke new --list`,
	"build": `
  polyvoke build                        # the function in this folder
  polyvoke build ./shout --json`,
	"run": `
  polyvoke run greet.wasm < request.json
  polyvoke run --env LANG=en greet.py Ada
  polyvoke run --grant-dir kv:stock=./stock shop.wasm`,
	"dev": `
  polyvoke dev
  polyvoke dev ./shout --server nats://nats.example.com`,
	"inspect": `
  polyvoke inspect greet.wasm
  polyvoke inspect greet.wasm --json`,
	"lint": `
  polyvoke lint greet.wasm
  polyvoke lint ./functions --strict --trust trust.toml --json`,
	"serve": `
  polyvoke serve
  NATS_TOKEN=... polyvoke serve --listen 0.0.0.0:4222
  polyvoke serve --server nats://nats.example.com --creds worker.creds`,
	"gateway": `
  polyvoke gateway --server nats://nats.example.com
  polyvoke gateway --http :8443 --http-auth key --tls-cert site.crt --tls-key site.key`,
	"deploy": `
  polyvoke deploy greet.wasm
  polyvoke deploy greet.py
  polyvoke deploy greet.wasm --name hello --env LANG=en --timeout 500ms --memory 64MiB
  polyvoke deploy ./greet`,
	"sign": `
  polyvoke sign greet.wasm --key author.nk
  polyvoke sign ./greet --key author.nk`,
	"sign keygen": `
  polyvoke sign keygen author.nk
  polyvoke sign keygen author.nk > author.pub`,
	"call": `
  polyvoke call greet '{"name":"Ada"}'
  polyvoke call greet@2 - < request.json
  polyvoke call wordcount @book.txt --logs
  polyvoke call fn.resize.640.480 @photo.png > small.png
  tail -f app.log | polyvoke call filter - --stream`,
	"top": `
  polyvoke top
  polyvoke top 'order-*' --sort p99
  polyvoke top --once --json`,
	"logs": `
  polyvoke logs -f
  polyvoke logs greet -n 100
  polyvoke logs 'order-*' --since 10m --level error --json`,
	"ls": `
  polyvoke ls
  polyvoke ls --json --context production`,
	"audit": `
  polyvoke audit
  polyvoke audit greet --since 24h
  polyvoke audit --verb deploy --follow --json`,
	"info": `
  polyvoke info greet
  polyvoke info greet --by-invoker`,
	"rm": `
  polyvoke rm greet
  polyvoke rm greet --context production`,
	"alias": `
  polyvoke alias ls
  polyvoke alias set greet live=4`,
	"alias set": `
  polyvoke alias set greet live=4
  polyvoke alias set greet live=4:90 live=5:10 --key 'header X-User'
  polyvoke alias set greet beta=6 --why 'for the testers'`,
	"alias ls": `
  polyvoke alias ls
  polyvoke alias ls greet --json`,
	"alias rm": `
  polyvoke alias rm greet beta
  polyvoke alias rm greet live --json`,
	"promote": `
  polyvoke promote greet
  polyvoke promote greet --why 'an hour without errors'`,
	"rollback": `
  polyvoke rollback greet
  polyvoke rollback greet --to 3 --why 'version 5 is slow'`,
	"history": `
  polyvoke history greet
  polyvoke history greet --alias beta --json`,
	"replay": `
  polyvoke replay thumbnail.order-17
  polyvoke replay --function thumbnail --last 100 --with ./thumbnail`,
	"runtime": `
  polyvoke runtime ls
  polyvoke runtime add python`,
	"runtime ls": `
  polyvoke runtime ls
  polyvoke runtime ls --json`,
	"runtime build": `
  polyvoke runtime build lua
  polyvoke runtime build javascript python --verbose`,
	"runtime add": `
  polyvoke runtime add python
  polyvoke runtime add wren.wasm --name wren --version 0.4 --ext .wren --arg wren --arg '{entry}'`,
	"runtime pin": `
  polyvoke runtime pin python@2
  polyvoke runtime pin javascript@1 --context production`,
	"kv": `
  polyvoke kv create stock
  polyvoke kv put stock tea 5
  polyvoke kv get stock tea             # as nats kv get stock tea does`,
	"kv ls": `
  polyvoke kv ls
  polyvoke kv ls stock eu/ --json`,
	"kv get": `
  polyvoke kv get stock tea
  polyvoke kv get stock ./backup --prefix eu/`,
	"kv put": `
  polyvoke kv put stock tea 5
  polyvoke kv put stock logo @logo.png
  polyvoke kv put stock ./stock --prefix eu/`,
	"kv del": `
  polyvoke kv del stock tea coffee
  polyvoke kv del stock eu/tea --context production`,
	"kv create": `
  polyvoke kv create stock --history 8
  polyvoke kv create sessions --ttl 1h --memory`,
	"obj": `
  polyvoke obj create images
  polyvoke obj put images ./logo.png
  polyvoke obj get images logo.png > copy.png`,
	"obj ls": `
  polyvoke obj ls
  polyvoke obj ls images --json`,
	"obj get": `
  polyvoke obj get images logo.png > logo.png
  polyvoke obj get images ./images`,
	"obj put": `
  polyvoke obj put images ./images      # the folder, and all below it
  polyvoke obj put images logo.png < logo.png`,
	"obj del": `
  polyvoke obj del images logo.png
  polyvoke obj del images old/1.png old/2.png`,
	"obj create": `
  polyvoke obj create images --max-bytes 10GiB
  polyvoke obj create uploads --ttl 24h --replicas 3`,
	"key": `
  polyvoke key create --function orders --note "the shop"
  polyvoke key revoke 4fXq0aZkT2Lm`,
	"key create": `
  polyvoke key create --note ci --expires 90d
  polyvoke key create --route 'GET /orders/{id}' --rate 10/s --json`,
	"key ls": `
  polyvoke key ls
  polyvoke key ls --json --context production`,
	"key show": `
  polyvoke key show 4fXq0aZkT2Lm
  polyvoke key show pv_4fXq0aZkT2Lm --json`,
	"key revoke": `
  polyvoke key revoke 4fXq0aZkT2Lm
  polyvoke key revoke pv_4fXq0aZkT2Lm --context production`,
	"secret": `
  polyvoke secret set API_KEY --function orders < key.txt
  polyvoke secret ls`,
	"secret keygen": `
  polyvoke secret keygen fleet.nk
  polyvoke serve --secrets-key fleet.nk`,
	"secret set": `
  printf %s "$API_KEY" | polyvoke secret set API_KEY --function orders
  polyvoke secret set tls.key @tls.key --context production`,
	"secret ls": `
  polyvoke secret ls
  polyvoke secret ls --function orders --json`,
	"secret rm": `
  polyvoke secret rm API_KEY --function orders
  polyvoke secret rm tls.key tls.crt`,
	"secret rotate": `
  polyvoke secret rotate
  polyvoke secret rotate --json --context production`,
	"job": `
  polyvoke job run thumbnail @photo.png --wait > small.png
  polyvoke job ls thumbnail --state waiting`,
	"job run": `
  polyvoke job run thumbnail @photo.png
  polyvoke job run orders '{"order":7}' --id order-7 --wait
  polyvoke job run report --at 2026-12-01T08:00:00Z --attempts 3`,
	"job ls": `
  polyvoke job ls
  polyvoke job ls orders --state dead --json`,
	"job show": `
  polyvoke job show orders.order-7
  polyvoke job show orders.order-7 --json`,
	"job result": `
  polyvoke job result orders.order-7
  polyvoke job result orders.order-7 --wait --wait-time 1m`,
	"job cancel": `
  polyvoke job cancel orders.order-7
  polyvoke job cancel orders._42-mr1q8z3k`,
	"job purge": `
  polyvoke job purge orders
  polyvoke job purge orders --context production`,
	"dead": `
  polyvoke dead ls
  polyvoke dead redrive --all --function orders`,
	"dead ls": `
  polyvoke dead ls
  polyvoke dead ls orders --limit 10`,
	"dead show": `
  polyvoke dead show orders.order-7
  polyvoke dead show orders.order-7 --json`,
	"dead redrive": `
  polyvoke dead redrive orders.order-7
  polyvoke dead redrive --all --function orders --to 3`,
	"dead drop": `
  polyvoke dead drop orders.order-7
  polyvoke dead drop --all --function orders`,
	"pause": `
  polyvoke pause orders
  polyvoke pause orders --for 1h`,
	"resume": `
  polyvoke resume orders
  polyvoke resume orders --context production`,
	"demo": `
  polyvoke demo
  polyvoke demo --stay
  polyvoke demo --orders --rate 500 --for 30s`,
	"doctor": `
  polyvoke doctor
  polyvoke doctor --context production --json`,
	"cache": `
  polyvoke cache
  polyvoke cache clear --unused`,
	"cache clear": `
  polyvoke cache clear
  polyvoke cache clear --unused`,
	"version": `
  polyvoke version
  polyvoke version --json`,
}

// addExamples gives a command and those below it their examples. A command that is not in the table keeps its own.
func addExamples(cmd *cobra.Command) {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	if text := examples[path]; text != "" {
		cmd.Example = strings.TrimPrefix(text, "\n")
	}
	for _, sub := range cmd.Commands() {
		addExamples(sub)
	}
}
