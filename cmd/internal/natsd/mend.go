package natsd

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
)

// A server (2.15) that reads a message whose sequence number is damaged makes a list of all numbers up to it, for
// hours or until there is no memory. So such messages are cut out of the files before the server sees them.
// Everything else that can be damaged there the server bears. The form of the files is that of nats-server's file
// store: records, one after the other, each with its length (the highest bit tells that there are headers), sequence
// number, time, and length of the subject, little-endian; the subject follows.

const (
	recordHead = 4 + 8 + 8 + 2
	headerBit  = 1 << 31         // of the length
	numberBits = 1<<62 - 1       // of the sequence number; the others tell what kind of record it is
	farthest   = uint64(1) << 20 // more than that cannot lie between two messages of one file, which has 8 MiB at most
	longest    = 64 << 20        // so long is no record
)

// mend cuts records with impossible sequence numbers out of a store's files, and names them in the log. A file that
// cannot be mended is left as it is.
func mend(store string, log *slog.Logger) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	// The pattern is valid, and Glob has no other error.
	files, _ := filepath.Glob(filepath.Join(store, "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	for _, path := range files {
		if err := mendFile(path, log); err != nil {
			log.Warn("nats server: a file of the store cannot be checked", "file", path, "err", err)
		}
	}
}

// piece is a part of a file.
type piece struct{ from, to int64 }

// mendFile cuts such records out of one file. The server's index of the stream goes too, and is made again.
func mendFile(path string, log *slog.Logger) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	bad, err := impossible(f)
	if err != nil || len(bad) == 0 {
		return err
	}
	for _, p := range bad {
		log.Error("nats server: a stored message is damaged and removed", "file", path, "subject", subjectAt(f, p.from))
	}
	name, err := without(f, bad)
	if err != nil {
		return err
	}
	f.Close() // some systems rename nothing over a file that is open
	if err := os.Rename(name, path); err != nil {
		return err
	}
	err = os.Remove(filepath.Join(filepath.Dir(path), "index.db"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// without copies a file without some pieces to a new one beside it, and returns that file's name.
func without(f *os.File, pieces []piece) (name string, err error) {
	out, err := os.CreateTemp(filepath.Dir(f.Name()), "mended-*")
	if err != nil {
		return "", err
	}
	at := int64(0)
	for _, p := range append(pieces, piece{from: math.MaxInt64}) {
		if err == nil {
			_, err = io.Copy(out, io.NewSectionReader(f, at, p.from-at))
		}
		at = p.to
	}
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		os.Remove(out.Name())
	}
	return out.Name(), err
}

// impossible returns the records whose sequence numbers cannot be. It ends where no record can be read: what follows
// is the server's to judge.
func impossible(f *os.File) (bad []piece, err error) {
	head := make([]byte, recordHead)
	var first, last uint64
	for at := int64(0); ; {
		if _, err := f.ReadAt(head, at); err != nil {
			return bad, nil
		}
		length := int64(binary.LittleEndian.Uint32(head) &^ headerBit)
		if length < recordHead || length > longest {
			return bad, nil
		}
		number := binary.LittleEndian.Uint64(head[4:]) & numberBits
		switch {
		case first == 0:
			if first, err = firstNumber(f, at, length, number); err != nil {
				return nil, err
			}
			last = first
			if first != number {
				bad = append(bad, piece{at, at + length})
			}
		case number > last+farthest:
			bad = append(bad, piece{at, at + length})
		default:
			last = max(last, number)
		}
		at += length
	}
}

// firstNumber returns where the numbers of a file begin: with those of its first record, or, if that lies far beyond
// the second one's, there.
func firstNumber(f *os.File, at, length int64, number uint64) (uint64, error) {
	head := make([]byte, recordHead)
	if _, err := f.ReadAt(head, at+length); err != nil {
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return number, err
	}
	if second := binary.LittleEndian.Uint64(head[4:]) & numberBits; number > second+farthest {
		return second, nil
	}
	return number, nil
}

// subjectAt returns the subject of the record at a place of a file, as far as it can be read.
func subjectAt(f *os.File, at int64) string {
	head := make([]byte, recordHead)
	if _, err := f.ReadAt(head, at); err != nil {
		return ""
	}
	subject := make([]byte, min(binary.LittleEndian.Uint16(head[20:]), 256))
	n, _ := f.ReadAt(subject, at+recordHead)
	return fmt.Sprintf("%q", subject[:n])
}
