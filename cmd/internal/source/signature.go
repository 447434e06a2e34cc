package source

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/invoker/trust"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// signatureSuffix is how the file with a signature is named beside what is signed.
	signatureSuffix = ".sig"
	// maxSignature is more than such a file has, in bytes.
	maxSignature = 4 << 10
)

// SignatureFile returns where the signature of a source lies: beside the module, the script, or the manifest that it
// was read by.
func (s *Source) SignatureFile() string { return s.asked + signatureSuffix }

// Sign signs a source with the seed of an nkey, and writes its signature.
func (s *Source) Sign(seed []byte) error {
	f := s.signed()
	signature, err := trust.Sign(f, seed)
	if err != nil {
		return &exit.Error{Code: exit.Usage, Msg: "sign " + f.Name + ": " + err.Error(), Err: err}
	}
	text, err := json.MarshalIndent(signature, "", "  ")
	if err != nil {
		return err
	}
	s.Function.Signature = &signature
	if err := os.WriteFile(s.SignatureFile(), append(text, '\n'), 0o644); err != nil {
		return Missing(s.SignatureFile(), err)
	}
	return nil
}

// signed returns the manifest of what would be deployed.
func (s *Source) signed() *protocol.Function {
	f := s.Function
	f.Digest = protocol.Digest(s.Code)
	return &f
}

// ReadSignature gives the source the signature that lies beside it, if there is one. The error is an *exit.Error, also
// for a signature of anything but this code and this manifest.
func (s *Source) ReadSignature() error {
	signature, err := readSignature(s.SignatureFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		s.Function.Signature = signature
		err = trust.Verify(s.signed())
	}
	if err != nil {
		return &exit.Error{Code: exit.NotRunnable, Err: err, Msg: fmt.Sprintf("%s: %v: sign %s again, or remove the file",
			s.SignatureFile(), err, s.asked)}
	}
	return nil
}

// readSignature reads a file with a signature.
func readSignature(file string) (*protocol.Signature, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSignature {
		return nil, fmt.Errorf("it has %d bytes, and is no signature", info.Size())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var signature protocol.Signature
	if err := json.Unmarshal(text, &signature); err != nil {
		return nil, fmt.Errorf("it is no signature: %w", err)
	}
	return &signature, signature.Check()
}
