package envelope

import "bytes"

const (
	jpeg = "image/jpeg"
	png  = "image/png"
	gif  = "image/gif"
	webp = "image/webp"
)

// ImageType names the image that data is by its signature, "image/png" for instance, or is "" when it is none that
// may be shown. The list is closed: SVG is a document that runs scripts, and every further decoder is one more to attack.
//
// The declared type plays no part: a vector of version 1 declares WebP over the signature of a PNG.
func ImageType(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("\x89PNG\r\n\x1a\n")):
		return png
	case bytes.HasPrefix(data, []byte("\xff\xd8\xff")):
		return jpeg
	case bytes.HasPrefix(data, []byte("GIF87a")), bytes.HasPrefix(data, []byte("GIF89a")):
		return gif
	case len(data) >= 12 && string(data[:4]) == "RIFF" && string(data[8:12]) == "WEBP":
		// The four bytes between are the length of the RIFF chunk.
		return webp
	default:
		return ""
	}
}

func allowed(mime string) bool {
	switch mime {
	case jpeg, png, gif, webp:
		return true
	default:
		return false
	}
}
