package sbom

import (
	"bytes"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// CycloneDX returns the bill of an image in the format of that name.
func CycloneDX(image Image) ([]byte, error) {
	b := newBill(image)
	m := image.Manifest
	doc := cdx.NewBOM()
	doc.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, b.sum[:]).URN()
	var properties []cdx.Property
	for _, c := range m.Configurations() {
		if len(m.Others) > 0 {
			properties = append(properties, cdx.Property{Name: "nix:configuration", Value: c.Name})
		}
		properties = append(properties, cdx.Property{Name: "nix:toplevel", Value: c.Toplevel}, cdx.Property{Name: "nix:system", Value: c.Platform})
	}
	doc.Metadata = &cdx.Metadata{
		Timestamp: b.created.Format("2006-01-02T15:04:05Z"),
		Tools: &cdx.ToolsChoice{Components: &[]cdx.Component{{
			Type: cdx.ComponentTypeApplication, Name: m.Tool.Name, Version: m.Tool.Version,
		}}},
		Component: &cdx.Component{
			BOMRef: imageID, Type: cdx.ComponentTypeOS, Name: image.names(), Version: m.Label,
			Properties: &properties,
		},
	}
	components := []cdx.Component{}
	roots := []string{}
	needed := map[string]bool{}
	dependencies := []cdx.Dependency{}
	for _, c := range b.components {
		components = append(components, c.cyclonedx())
		needs := append([]string{}, c.needs...)
		for _, need := range needs {
			needed[need] = true
		}
		dependencies = append(dependencies, cdx.Dependency{Ref: c.id, Dependencies: &needs})
	}
	for _, c := range b.components {
		if !needed[c.id] {
			roots = append(roots, c.id)
		}
	}
	dependencies = append([]cdx.Dependency{{Ref: imageID, Dependencies: &roots}}, dependencies...)
	doc.Components, doc.Dependencies = &components, &dependencies
	var text bytes.Buffer
	e := cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON)
	e.SetPretty(true)
	e.SetEscapeHTML(false)
	err := e.EncodeVersion(doc, cdx.SpecVersion1_6)
	return text.Bytes(), err
}

func (c component) cyclonedx() cdx.Component {
	component := cdx.Component{
		BOMRef: c.id, Type: cdx.ComponentTypeLibrary, Name: c.name, Version: c.version, CPE: c.cpe,
		Properties: &[]cdx.Property{{Name: "nix:storePath", Value: c.path}, {Name: "nix:narHash", Value: c.narHash}},
	}
	if c.licence != "" {
		component.Licenses = &cdx.Licenses{{Expression: c.licence}}
	}
	if c.homepage != "" {
		component.ExternalReferences = &[]cdx.ExternalReference{{Type: cdx.ERTypeWebsite, URL: c.homepage}}
	}
	return component
}
