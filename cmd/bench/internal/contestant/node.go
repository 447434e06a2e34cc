package contestant

import (
	_ "embed"
	"os"
	"path/filepath"
)

// nodeWASI is Node's WASI, measured within one Node process.
func nodeWASI() Contestant {
	return Contestant{
		Name: Node,
		About: "one Node process, the module compiled once, a WebAssembly.Instance and a WASI for each call; stdin and " +
			"stdout are files in memory, it has nothing else; CPU by process.cpuUsage",
		Worker: NodeCommand,
		One:    true,
	}
}

//go:embed node.mjs
var nodeWorker []byte

// NodeCommand writes the worker in JavaScript into a folder and returns the command that runs it.
func NodeCommand(dir string) (name string, args []string, err error) {
	file := filepath.Join(dir, "worker.mjs")
	return "node", []string{"--no-warnings", file}, os.WriteFile(file, nodeWorker, 0o644)
}
