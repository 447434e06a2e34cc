package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// billFile is the bill of materials.
const billFile = "polyvoke.spdx.json"

// The bill is SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/), as far as it is needed: a package for each binary,
// one for each module, and which is in which.
type (
	spdxDocument struct {
		Version       string             `json:"spdxVersion"`
		License       string             `json:"dataLicense"`
		ID            string             `json:"SPDXID"`
		Name          string             `json:"name"`
		Namespace     string             `json:"documentNamespace"`
		Creation      spdxCreation       `json:"creationInfo"`
		Packages      []spdxPackage      `json:"packages"`
		Relationships []spdxRelationship `json:"relationships"`
	}
	spdxCreation struct {
		Created  string   `json:"created"`
		Creators []string `json:"creators"`
	}
	spdxPackage struct {
		Name          string          `json:"name"`
		ID            string          `json:"SPDXID"`
		Version       string          `json:"versionInfo"`
		File          string          `json:"packageFileName,omitempty"`
		Location      string          `json:"downloadLocation"`
		FilesAnalyzed bool            `json:"filesAnalyzed"`
		Checksums     []spdxChecksum  `json:"checksums,omitempty"`
		Concluded     string          `json:"licenseConcluded"`
		Declared      string          `json:"licenseDeclared"`
		Copyright     string          `json:"copyrightText"`
		References    []spdxReference `json:"externalRefs"`
		Comment       string          `json:"comment,omitempty"`
		Purpose       string          `json:"primaryPackagePurpose"`
	}
	spdxChecksum struct {
		Algorithm string `json:"algorithm"`
		Value     string `json:"checksumValue"`
	}
	spdxReference struct {
		Category string `json:"referenceCategory"`
		Type     string `json:"referenceType"`
		Locator  string `json:"referenceLocator"`
	}
	spdxRelationship struct {
		Element string `json:"spdxElementId"`
		Type    string `json:"relationshipType"`
		Related string `json:"relatedSpdxElement"`
	}
)

const (
	documentID  = "SPDXRef-DOCUMENT"
	noAssertion = "NOASSERTION"
)

// bill writes the bill of materials, of what the binaries themselves say was linked into them.
func (r *release) bill(context.Context) error {
	d := spdxDocument{Version: "SPDX-2.3", License: "CC0-1.0", ID: documentID, Name: "polyvoke-" + r.version,
		Namespace: "https://github.com/polyvoke/polyvoke/spdx/" + r.version + "-" + r.commit,
		Creation: spdxCreation{r.date.Format(time.RFC3339),
			[]string{"Organization: polyvoke", "Tool: polyvoke-cmd-release"}}}
	for _, m := range r.modules {
		p, err := m.spdx()
		if err != nil {
			return err
		}
		d.Packages = append(d.Packages, p)
	}
	for _, b := range r.binaries {
		p, err := r.spdx(b)
		if err != nil {
			return err
		}
		d.Packages = append(d.Packages, p)
		d.Relationships = append(d.Relationships, spdxRelationship{documentID, "DESCRIBES", p.ID})
		for _, m := range modulesOf(b.info) {
			d.Relationships = append(d.Relationships, spdxRelationship{p.ID, "STATIC_LINK", m.id()})
		}
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return r.publish(billFile, append(text, '\n'))
}

// spdx returns the package of a binary.
func (r *release) spdx(b *binary) (spdxPackage, error) {
	data, err := os.ReadFile(b.path)
	if err != nil {
		return spdxPackage{}, err
	}
	return spdxPackage{Name: b.name(), ID: spdxID(b.name()), Version: r.version, File: filepath.Base(b.path),
		Location:  "git+https://github.com/polyvoke/polyvoke@" + r.commit,
		Checksums: []spdxChecksum{{"SHA256", fmt.Sprintf("%x", sha256.Sum256(data))}},
		Concluded: "Apache-2.0", Declared: "Apache-2.0", Copyright: noAssertion, Purpose: "APPLICATION",
		References: []spdxReference{purl(b.info.Main.Path, r.version)}}, nil
}

// id returns the identifier of a module's package.
func (m *module) id() string { return spdxID(m.path) }

// spdx returns the package of a module.
func (m *module) spdx() (spdxPackage, error) {
	location, comment := "https://"+m.path, ""
	if m.path == standardLibrary {
		location = "https://go.googlesource.com/go@go" + m.version[1:]
	}
	if m.sum != "" {
		// It is no checksum of SPDX's, which are of files.
		digest, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(m.sum, "h1:"))
		if err != nil {
			return spdxPackage{}, fmt.Errorf("the checksum of %s: %w", m.path, err)
		}
		comment = "go.sum: " + m.sum + " (SHA-256 of the module's tree: " + hex.EncodeToString(digest) + ")"
	}
	return spdxPackage{Name: m.path, ID: m.id(), Version: m.version, Location: location, Comment: comment,
		Concluded: noAssertion, Declared: cmp.Or(strings.Join(m.licenses, " AND "), noAssertion), Copyright: noAssertion,
		Purpose: "LIBRARY", References: []spdxReference{purl(m.path, m.version)}}, nil
}

// purl returns the package URL of a module (https://github.com/package-url/purl-spec), by which scanners know it.
func purl(path, version string) spdxReference {
	return spdxReference{"PACKAGE-MANAGER", "purl", "pkg:golang/" + strings.ToLower(path) + "@" + version}
}

var notInID = regexp.MustCompile(`[^A-Za-z0-9.]+`)

// spdxID returns the identifier of what has a name.
func spdxID(name string) string { return "SPDXRef-" + notInID.ReplaceAllString(name, "-") }
