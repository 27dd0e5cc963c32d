// Package gpt reads and writes the partition tables of disks: the master boot
// record and the GUID partition table of the UEFI specification (2.10,
// chapter 5), the latter with both of its copies.
//
// What is written is described by plain values, [Table] and [MBR], and comes as
// bytes with the sector that they belong to. [Read] looks at a disk, whoever
// partitioned it, and says of each table that it finds either what is in it or
// why it is not believed. It may be given anything: how much it reads does not
// depend on what a table claims.
//
// Sectors of 512 to 4096 bytes are understood. Logical partitions, a chain of
// tables inside of an extended MBR partition, are not followed.
package gpt
