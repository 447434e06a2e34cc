package backend

// Hider is a Session that keeps out of logs what no log may show, such as secrets.
type Hider interface {
	Session
	// Hide takes what the process writes to its log, piece by piece, and returns what of it can be shown, until the next
	// call. With last it returns all that is left.
	Hide(text []byte, last bool) []byte
	// HideLine is Hide for a whole text.
	HideLine(text string) string
}

// Hider returns the session that knows what no log of the run may show, or nil. It can be used after End.
func (t *Transaction) Hider() Hider {
	for _, s := range t.sessions {
		if h, ok := s.Session.(Hider); ok {
			return h
		}
	}
	return nil
}
