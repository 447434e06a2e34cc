package project

import (
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Follow takes over a manifest that was read again. The tool chain need not be looked for again where the language is
// the same.
func (p *Project) Follow(fresh *Project) {
	chain := p.chain
	if path.Ext(p.source) != path.Ext(fresh.source) {
		chain = nil
	}
	*p = *fresh
	p.chain = chain
}

// Output reports whether a path is what a build makes, or what the folder's .gitignore names: files that are no
// sources. Of .gitignore only plain patterns count, without exceptions.
func (p *Project) Output(file string) bool {
	if file == p.Module {
		return true
	}
	rel, err := filepath.Rel(p.Dir, file)
	if err != nil {
		return false
	}
	ignore, _ := os.ReadFile(filepath.Join(p.Dir, ".gitignore")) // without one nothing is ignored
	for line := range strings.Lines(string(ignore)) {
		if matches(strings.TrimSpace(line), filepath.ToSlash(rel)) {
			return true
		}
	}
	return false
}

// matches reports whether a pattern of a .gitignore matches a path relative to its folder.
func matches(pattern, rel string) bool {
	pattern = strings.TrimSuffix(pattern, "/")
	if pattern == "" || pattern[0] == '#' || pattern[0] == '!' {
		return false
	}
	if !strings.Contains(pattern, "/") {
		rel = path.Base(rel)
	}
	ok, err := path.Match(strings.TrimPrefix(pattern, "/"), rel)
	return ok && err == nil
}
