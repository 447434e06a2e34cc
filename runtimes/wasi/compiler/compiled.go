package compiler

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tetratelabs/wazero"
)

// compiledFolder has the records of compiled modules.
const compiledFolder = "compiled"

// record says which of the engine's files is a compiled module, and what it was when it was whole. The
// engine's own checksum leaves out the tables of the file, and it trusts them.
type record struct {
	File string `json:"file"` // relative to the cache
	Size int64  `json:"size"` // in bytes
	CRC  uint32 `json:"crc"`  // Castagnoli
}

// recordPath returns where the record of a key is.
func (p *Compiler) recordPath(key string) string {
	return filepath.Join(p.dir, compiledFolder, key+".json")
}

// keep moves what a child made into the engine's folder, and then writes its record.
func (p *Compiler) keep(key, dir string) error {
	made, err := filepath.Glob(filepath.Join(dir, p.engine.folder, "*"))
	if err != nil || len(made) != 1 {
		return fmt.Errorf("%s has compiled nothing that this process could load: Config.Compiler must be the same binary; "+
			"restart this process if the binary was replaced", p.command[0])
	}
	r := record{File: filepath.Join(p.engine.folder, filepath.Base(made[0]))}
	if r.Size, r.CRC, err = checksum(made[0]); err != nil {
		return err
	}
	if err := os.Rename(made[0], filepath.Join(p.dir, r.File)); err != nil {
		return err
	}
	return writeJSON(p.recordPath(key), r)
}

// loadCompiled loads a compiled module if it is there and whole. Otherwise its record goes.
func (p *Compiler) loadCompiled(key string, load func() (wazero.CompiledModule, error)) (wazero.CompiledModule, error) {
	err := p.checkCompiled(key)
	if err == nil {
		var c wazero.CompiledModule
		if c, err = load(); err == nil {
			return c, nil
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		p.log.Warn("a compiled module cannot be used, and is compiled again", "err", err)
	}
	_ = os.Remove(p.recordPath(key)) // the next one is written over it
	return nil, err
}

// checkCompiled reports why a compiled module cannot be used.
func (p *Compiler) checkCompiled(key string) error {
	var r record
	if err := readJSON(p.recordPath(key), &r); err != nil {
		return err
	}
	size, crc, err := checksum(filepath.Join(p.dir, r.File))
	if err != nil {
		return err
	}
	if size != r.Size || crc != r.CRC {
		return fmt.Errorf("%s %w", filepath.Join(p.dir, r.File), errDamaged)
	}
	return nil
}

// checksum returns the length of a file and its checksum.
func checksum(path string) (size int64, crc uint32, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	h := crc32.New(castagnoli)
	size, err = io.Copy(h, f)
	return size, h.Sum32(), err
}

// checked is what files of JSON have.
type checked struct {
	CRC   uint32          `json:"crc32c"` // of the value as it is written
	Value json.RawMessage `json:"value"`
}

// castagnoli is the polynomial of all checksums here.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// writeJSON writes a file that others see whole or not at all.
func writeJSON(path string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		b, err = json.Marshal(checked{crc32.Checksum(b, castagnoli), b})
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // the first error counts
	}
	return err
}

// errDamaged is how errors end that say that a file is not what was written.
var errDamaged = errors.New("is damaged")

// readJSON reads such a file.
func readJSON(path string, v any) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var c checked
	if err := json.Unmarshal(b, &c); err != nil || crc32.Checksum(c.Value, castagnoli) != c.CRC {
		return fmt.Errorf("%s %w", path, errDamaged)
	}
	return json.Unmarshal(c.Value, v)
}
