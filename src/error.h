// The one exception type, and the exit code each kind of failure ends the program with.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace nowcell {

/// What the program exits with; `nowcell help exit-codes` prints this list.
enum class ExitCode : int {
    ok = 0,
    internal = 1,       ///< a bug of ours: please report
    usage = 2,          ///< command line or config
    data = 3,           ///< input data missing, unreadable or unfit
    model = 4,          ///< checkpoint or model
    device = 5,         ///< device, memory or LibTorch
    diverged = 6,       ///< training produced NaN or Inf
    output = 7,         ///< cannot write: exists, permission, disk full
    gate = 10,          ///< a bar was missed: `bench cells --guard`, `check`
    hung_up = 129,      ///< SIGHUP, after saving
    interrupted = 130,  ///< SIGINT, after saving
    terminated = 143,   ///< SIGTERM, after saving
};

/// One failure as the user reads it.
struct Problem {
    std::string what;   ///< what failed: "got X, expected Y"
    std::string where;  ///< FILE:LINE:COL with source line and caret, or DATASET[index]; may be empty
    std::string hint;   ///< the next thing to type; may be empty
};

/// Thrown for every failure a user can cause.
/// what() is all problems as text without the leading program name.
class Error : public std::runtime_error {
 public:
    Error(ExitCode code, std::string what, std::string where = "", std::string hint = "");
    Error(ExitCode code, std::vector<Problem> problems);

    ExitCode code() const { return code_; }
    const std::vector<Problem>& problems() const { return problems_; }

    /// The block shown to users, a block per problem: "PREFIX: error: what / at where / hint: hint".
    std::string block(const std::string& prefix) const;

 private:
    ExitCode code_;
    std::vector<Problem> problems_;
};

/// The candidates that a mistyped word may have meant, best first, at most `limit`.
/// Close means: edit distance at most a third of the length (at least 2), or one word begins the other.
std::vector<std::string> nearest(const std::string& word, const std::vector<std::string>& candidates,
                                 std::size_t limit = 1);

/// "did you mean 'X'?" or the empty string when nothing is close.
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace nowcell
