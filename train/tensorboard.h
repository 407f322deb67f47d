// The event files that TensorBoard reads.
#pragma once

#include "train/append_file.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nowcell {

/// One events.out.tfevents file. Source: TensorFlow's TFRecord framing and event.proto, summary.proto.
class EventFile {
 public:
    /// Begins a file in `folder`. resumed: beside those of the run before, of which TensorBoard then forgets all after
    /// `step`; else those go. Throws Error(output), as all that follow.
    EventFile(const std::string& folder, bool resumed, std::int64_t step);

    /// Named numbers of a step; what is not finite is left out.
    void scalars(std::int64_t step, const std::vector<std::pair<std::string, double>>& values);

    /// A PNG file in memory.
    void png(std::int64_t step, const std::string& tag, const std::string& bytes);

    const std::string& path() const { return file_.path(); }

 private:
    AppendFile file_;
};

/// CRC-32C (Castagnoli) of bytes. Source: RFC 3720 B.4.
std::uint32_t crc32c(const std::string& bytes);

/// A TFRecord: length, its masked CRC, the bytes, their masked CRC; little-endian.
std::string tf_record(const std::string& bytes);

}  // namespace nowcell
