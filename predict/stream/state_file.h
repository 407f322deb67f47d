// The state of a stream on disk: a file, and the names of the files taken since it was written.
#pragma once

#include "src/safetensors.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace nowcell {

/// Holds FILE for one process. Beside it stands FILE.taken: a line "SEQUENCE NAME" for each input file, in the order
/// in which they were taken, SEQUENCE being the number of its first frame. A process that is killed leaves both; what
/// was taken after the state was written is taken again, in the same order.
class StateFile {
 public:
    /// Throws Error(output) when another process holds it or it cannot be written.
    explicit StateFile(std::string path);
    ~StateFile();
    StateFile(const StateFile&) = delete;
    StateFile& operator=(const StateFile&) = delete;

    /// What was saved, if anything was. Throws Error(model) when it is damaged.
    std::optional<SafeTensors> load() const;

    /// Throws Error(output); what was saved before is then untouched.
    void save(const SafeTensors& state);

    struct Taken {
        std::int64_t sequence = 0;
        std::string name;
    };

    /// The files of which frames come after number `offered`, in order.
    std::vector<Taken> taken_after(std::int64_t offered) const;

    /// Notes a file before its first frame is taken.
    void take(const Taken& file);

    /// Forgets the notes: all that was taken is in the state.
    void forget();

    const std::string& path() const { return path_; }

 private:
    std::string path_;
    int taken_;  // holds the lock
};

}  // namespace nowcell
