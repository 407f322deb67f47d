// What a file is, by its first bytes.
#pragma once

#include <string>
#include <vector>

namespace nowcell {

enum class FileKind { hdf5, npy, zip, idx, png, jpeg, tiff, pnm, gif, video, catalogue, other };

/// The kind of a regular file; `gzip` of idx counts as idx. Never throws: an unreadable file is `other`.
FileKind kind_of(const std::string& path);

/// True for the kinds that hold one picture.
bool is_picture(FileKind kind);

/// "PNG", "HDF5", ... or for `other` what the first bytes look like: "GRIB file", "" when unknown.
std::string kind_name(const std::string& path, FileKind kind);

/// Refuses a file that is not read here. Throws Error(data) that names its format and the command that converts it.
[[noreturn]] void refuse_kind(const std::string& path);

/// Names in natural order: "frame2" before "frame10". Compares runs of digits as numbers.
bool natural_less(const std::string& a, const std::string& b);

/// Regular files of a folder in natural order, hidden ones left out; sub-folders are not entered.
std::vector<std::string> files_in(const std::string& folder);

/// Sub-folders in natural order, hidden ones left out.
std::vector<std::string> folders_in(const std::string& folder);

}  // namespace nowcell
