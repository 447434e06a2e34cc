package registry

// What tests need to look inside, or to die in the middle of something.
var (
	EncodeEntry = encodeEntry
	Claim       = (*JetStream).claim
	Release     = (*JetStream).release
	Sweep       = (*JetStream).sweep
)

// DecodeEntry reads a record as an invoker does that knows the words of the protocol alone.
func DecodeEntry(name string, record []byte) (Entry, error) {
	return decodeEntry(name, record, Config{}.knows)
}
