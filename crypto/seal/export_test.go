package seal

// FixRandom makes the next random bytes be those of b, over and over, until the test ends: the vectors have fixed IVs.
// A test that uses it must not run in parallel.
func FixRandom(t interface{ Cleanup(f func()) }, b []byte) {
	was := random
	random = func(into []byte) {
		for n := 0; n < len(into); {
			n += copy(into[n:], b)
		}
	}
	t.Cleanup(func() { random = was })
}

// The inner values that the vectors state, so that a wrong derivation is found where it is and not by a tag alone.

// PaddedLen is paddedLen.
func PaddedLen(n int) int { return paddedLen(n) }

// ContentKey is k1 or k2.
func ContentKey(ks Keys, version int) []byte {
	if version == version1 {
		return ks.m.Get().k1[:]
	}
	return ks.m.Get().k2[:]
}

// Stretched is the salt and the stretched passphrase.
func Stretched(k Key, id ID, passphrase string) (salt, stretched []byte) {
	salt, stretched, err := k.stretch(id, passphrase)
	if err != nil {
		panic(err)
	}
	return salt, stretched
}

// KeptKey is the key of a kept secret under a salt.
func KeptKey(s Kept, salt []byte) []byte {
	key, err := s.stretch(salt)
	if err != nil {
		panic(err)
	}
	return key
}

// Raw seals content as it is, without an envelope or padding, as version 2: what a careless or hostile writer with
// the key could make.
func Raw(ks Keys, content []byte) []byte {
	b := make([]byte, header2, header2+len(content)+16)
	b[0], b[1] = version2, ks.m.Get().flags()
	b, err := ks.m.Get().encrypt(ks.m.Get().k2, append(b, content...), header2, ks.m.Get().aad2(b[1]))
	if err != nil {
		panic(err)
	}
	return b
}
