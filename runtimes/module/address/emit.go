package address

import (
	"github.com/polyvoke/polyvoke/runtimes/module/code"
	"github.com/polyvoke/polyvoke/runtimes/module/edit"
)

// emit returns the new body.
func (w *work) emit(b edit.Body) []byte {
	all := w.m.Bytes()
	out := make(code.Assembly, 0, b.End-b.Start+64)
	out = append(out, all[b.Start:b.Code]...)
	for i := range w.steps {
		s := &w.steps[i]
		if s.ahead > 0 {
			out.Get(s.x).Op(load8, 0, uint32(s.ahead-1)).Op(code.Drop)
		}
		if s.not {
			out.Op(code.I32Eqz)
		}
		switch {
		case s.gone:
		case s.zero:
			out.I64(0).Op(code.I64Ne)
		case s.add > 0:
			out.Op(s.op, s.x, s.y+uint32(s.add))
		case s.other && s.op >= code.I32Eqz:
			out.Op(s.op)
		case s.other:
			out.Op(s.op, s.x)
		default:
			out = append(out, all[s.start:s.end]...)
		}
		if s.swapped {
			out.Op(code.Else)
		}
		if s.never {
			out.Op(code.Unreachable)
		}
	}
	return out
}

// load8 is i32.load8_u.
const load8 code.Op = 0x2d
