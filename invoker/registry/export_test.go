package registry

// What tests need to look inside, or to die in the middle of something.
var (
	DecodeEntry = decodeEntry
	EncodeEntry = encodeEntry
	Claim       = (*JetStream).claim
	Release     = (*JetStream).release
	Sweep       = (*JetStream).sweep
)
