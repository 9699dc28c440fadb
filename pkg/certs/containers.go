package certs

import "bytes"

// keystore tells a Java key store or a Windows certificate store by how it
// starts.
func keystore(data []byte) (Problem, bool) {
	unsupported := func(what, hint string) (Problem, bool) {
		return Problem{Reason: Unsupported, Message: what + " is not read", Hint: hint}, true
	}
	const keytool = "keytool -list -rfc -keystore FILE"
	switch {
	case bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}):
		return unsupported("a Java key store (JKS)", keytool+toInspect)
	case bytes.HasPrefix(data, []byte{0xce, 0xce, 0xce, 0xce}):
		return unsupported("a Java key store (JCEKS)", keytool+" -storetype JCEKS"+toInspect)
	case bytes.HasPrefix(data, []byte{0, 0, 0, 0, 'C', 'E', 'R', 'T'}):
		return unsupported("a Windows certificate store", "certutil -split -dump FILE")
	case len(data) > 32 && bytes.HasPrefix(data, []byte{0, 0, 0}) && (data[3] == 1 || data[3] == 2) &&
		bytes.Equal(data[4:8], []byte{0, 0, 0, 20}):
		// Version, then a salt of 20 octets with its length.
		return unsupported("a Bouncy Castle key store (BKS)", keytool+" -storetype BKS"+toInspect)
	}
	return Problem{}, false
}

const toInspect = " | akscert inspect -"

func pkcs12Problem() Problem {
	return Problem{
		Reason: Unsupported, Message: "PKCS#12 is not read",
		Hint: "openssl pkcs12 -in FILE -nokeys" + toInspect,
	}
}
