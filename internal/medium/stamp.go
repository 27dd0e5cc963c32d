package medium

// StampArea is the file of a medium that is loaded as the last initrd of every entry of the
// menus: zeros, or what was stamped onto the image after it was built.
const StampArea = "boot/livebuild/stamp.img"
