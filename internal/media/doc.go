// Package media brings videos to this machine: what lies behind an https, s3, gs or file address is fetched once, checked, and
// kept in a folder of bounded size that the supervisors of a machine may share.
//
// It knows HTTP, how S3 and Google Cloud Storage want to be asked, and that folder. It knows no job and tries nothing twice: a
// fetch that was cut goes on where it was cut when the job is tried again, in a later pass. What a failed fetch means for the
// job, fault says of the evidence.
package media
