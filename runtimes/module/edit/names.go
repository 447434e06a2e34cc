package edit

import "github.com/polyvoke/polyvoke/runtimes/module/leb"

// functionNames is the subsection of the section "name" that names functions.
const functionNames = 1

// encodeCustom appends a custom section: as it is, or, if those are to be left out, what stays true of it.
func (m *Module) encodeCustom(out []byte, s section) []byte {
	if !m.dropCustom {
		return append(out, m.b[s.start:s.end]...)
	}
	r := &reader{b: m.b[:s.end], pos: s.content}
	if string(r.text()) != "name" {
		return out
	}
	for r.pos < s.end {
		id, size := r.byte(), int(r.u32())
		if id == functionNames {
			return m.appendNames(out, r)
		}
		r.pos += size
	}
	return out
}

// appendNames appends a section "name" with the functions' names, at the indices that they have now.
func (m *Module) appendNames(out []byte, r *reader) []byte {
	n := r.u32()
	names := leb.AppendU32(nil, n)
	for range n {
		names = leb.AppendU32(names, m.Function(r.u32()))
		names = appendText(names, r.text())
	}
	body := append(appendText(nil, []byte("name")), functionNames)
	body = append(leb.AppendU32(body, uint32(len(names))), names...)
	return append(leb.AppendU32(append(out, customSection), uint32(len(body))), body...)
}

// appendText appends a string.
func appendText(out, text []byte) []byte {
	return append(leb.AppendU32(out, uint32(len(text))), text...)
}
