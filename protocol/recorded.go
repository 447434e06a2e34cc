package protocol

import (
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Bounds of what a recording keeps of files.
const (
	MaxRecordedFiles = 400 << 10 // bytes of the operations as JSON, about
	MaxRecordedOps   = 10_000    // operations
)

// RecordedFiles is what a run has done with the files that it was granted, and what it was answered: with that it can
// be run again without any of them. /tmp is not among them, since it is empty at first. Secrets are never kept.
type RecordedFiles struct {
	Mounts []RecordedMount `json:"mounts,omitempty"` // but for /tmp
	Ops    []FileOp        `json:"ops,omitempty"`    // in their order
	Code   int             `json:"code,omitempty"`   // why what it has written was not committed; 0: nothing failed
}

// RecordedMount is a folder with what is granted.
type RecordedMount struct {
	Path     string `json:"path"`
	ReadOnly bool   `json:"read_only,omitempty"`
}

// The operations of FileOp.
const (
	OpOpen     = "open"  // At has the flags
	OpStat     = "stat"  // of a name
	OpList     = "list"  // a folder
	OpMkdir    = "mkdir" // make a folder
	OpRemove   = "remove"
	OpRename   = "rename"
	OpTime     = "time"     // set when a name was last changed
	OpFileStat = "filestat" // of an open file
	OpRead     = "read"     // up to N bytes from At
	OpWrite    = "write"    // N bytes at At; -1 is the end
	OpTruncate = "truncate" // to N bytes
	OpFileTime = "filetime" // set when an open file was last changed
	OpSync     = "sync"
	OpClose    = "close"
)

// fileOps has them all.
var fileOps = []string{OpOpen, OpStat, OpList, OpMkdir, OpRemove, OpRename, OpTime, OpFileStat, OpRead, OpWrite,
	OpTruncate, OpFileTime, OpSync, OpClose}

// FileOp is an operation on files, and its result.
type FileOp struct {
	Op     string `json:"op"`
	Path   string `json:"path"`             // absolute; of an open file, that which it was opened by
	To     string `json:"to,omitempty"`     // the new name, for OpRename
	At     int64  `json:"at,omitempty"`     // see the operations
	N      int64  `json:"n,omitempty"`      // see the operations
	Digest string `json:"digest,omitempty"` // of what it wrote

	Error   string      `json:"error,omitempty"`   // name of an error of POSIX, or EOF; empty: it succeeded
	Done    int64       `json:"done,omitempty"`    // bytes that were written
	Data    []byte      `json:"data,omitempty"`    // that were read
	Info    *FileInfo   `json:"info,omitempty"`    // for OpStat and OpFileStat
	Entries []FileEntry `json:"entries,omitempty"` // for OpList
}

// FileInfo is what is known about a file or folder.
type FileInfo struct {
	Mode   fs.FileMode `json:"mode,omitempty"` // as package io/fs has it; 0: a file
	Size   int64       `json:"size,omitempty"` // bytes
	Time   *time.Time  `json:"time,omitempty"` // when it was last changed; nil: nobody knows
	Stream bool        `json:"stream,omitempty"`
}

// FileEntry is a name in a folder.
type FileEntry struct {
	Name string      `json:"name"`
	Mode fs.FileMode `json:"mode,omitempty"` // see FileInfo
}

// Cost is about how many bytes the operation takes in a recording.
func (o *FileOp) Cost() int {
	const alone, info, entry = 60, 80, 30
	n := alone + len(o.Path) + len(o.To) + len(o.Digest) + (len(o.Data)+2)/3*4
	if o.Info != nil {
		n += info
	}
	for _, e := range o.Entries {
		n += entry + len(e.Name)
	}
	return n
}

// valid reports whether a run can have made the operation.
func (o *FileOp) valid() bool {
	return slices.Contains(fileOps, o.Op) && o.At >= -1 && (o.N >= 0 || o.Op == OpTruncate) &&
		o.Done >= 0 && o.Done <= max(0, o.N) && !slices.ContainsFunc(o.Entries, func(e FileEntry) bool {
		return !fs.ValidPath(e.Name) || strings.ContainsAny(e.Name, "/\x00")
	})
}

// check returns what is wrong with the files of the recording of a function. The error's code is 422.
func (r *RecordedFiles) check(f *Function) error {
	if r == nil {
		return nil
	}
	mounts := f.Mounts()
	if len(r.Mounts) > len(mounts) || len(r.Ops) > MaxRecordedOps {
		return Errorf(CodeRefused, "", "the recording has more folders, or operations on files, than a run can")
	}
	for i, m := range r.Mounts {
		before := func(o RecordedMount) bool { return o.Path == m.Path }
		if !slices.Contains(mounts, m.Path) || slices.ContainsFunc(r.Mounts[:i], before) {
			return Errorf(CodeRefused, "", "the recording has the folder %.100q, which its manifest does not grant once",
				m.Path)
		}
	}
	for i := range r.Ops {
		if o := &r.Ops[i]; !o.valid() {
			return Errorf(CodeRefused, "", "the recording's operation %d on files, %.20q of %.100q, is none", i+1, o.Op, o.Path)
		}
	}
	return nil
}
