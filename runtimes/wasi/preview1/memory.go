package preview1

import (
	"encoding/binary"

	"github.com/tetratelabs/wazero/api"
)

// memory is the whole memory of a guest during one call, in which it cannot grow. All pointers are
// checked here; of a pointer, only the lower 32 bits count.
type memory []byte

// memoryOf returns the memory of a module.
func memoryOf(mod api.Module) memory {
	m := mod.Memory()
	b, _ := m.Read(0, m.Size())
	return b
}

// bytes returns the n bytes at ptr.
func (m memory) bytes(ptr, n uint64) ([]byte, bool) {
	start := uint64(uint32(ptr))
	if start+n > uint64(len(m)) {
		return nil, false
	}
	return m[start : start+n : start+n], true
}

// putU32 writes v at ptr.
func (m memory) putU32(ptr uint64, v uint32) errno {
	b, ok := m.bytes(ptr, 4)
	if !ok {
		return efault
	}
	binary.LittleEndian.PutUint32(b, v)
	return 0
}

// putU64 writes v at ptr.
func (m memory) putU64(ptr, v uint64) errno {
	b, ok := m.bytes(ptr, 8)
	if !ok {
		return efault
	}
	binary.LittleEndian.PutUint64(b, v)
	return 0
}

// vectors is a list of buffers: pairs of a pointer and a length, 32 bits each.
type vectors []byte

// vectorsAt returns count buffers at ptr.
func (m memory) vectorsAt(ptr, count uint64) (vectors, bool) {
	b, ok := m.bytes(ptr, uint64(uint32(count))*8)
	return b, ok
}

// next takes the first buffer off the list, and returns its pointer and its length.
func (v *vectors) next() (ptr, n uint64) {
	ptr, n = uint64(u32(*v)), uint64(u32((*v)[4:]))
	*v = (*v)[8:]
	return ptr, n
}

// u32 reads an integer.
func u32(b []byte) uint32 { return binary.LittleEndian.Uint32(b) }

// u64 reads an integer.
func u64(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
