package advice

import "github.com/livebuild/livebuild/internal/signature"

// signatureHints are advice on keys and signatures.
var signatureHints = []Row{
	On[*signature.PassphraseError]("try again; the passphrase is the first line of the file that --passphrase-file names, or is asked for"),
	On[*signature.KeyError]("'minisign -G', 'signify -G -p NAME.pub -s NAME.sec' and 'ssh-keygen -t ed25519' make pairs of keys: one file is secret and signs, the one in .pub checks"),
	On[*signature.OtherKeyError]("--key needs the public key of who published the image, or a file of allowed signers that has it; if it is the right one, somebody else signed"),
	On[*signature.MismatchError]("download image and signature again, both from who published them; a signature is of the file as it was published, compressed or not"),
	On[*signature.FormatError]("a signature is a file NAME.iso.minisig or NAME.iso.sig, as minisign, signify and 'ssh-keygen -Y sign -n file' write it"),
	On[*signature.MissingError]("publishers put it beside the image; --signature FILE names one that is elsewhere, as it must be for a disk"),
}
