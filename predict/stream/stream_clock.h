// How many steps lie between two frames of a stream.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string>

namespace nowcell {

/// When a frame is valid: seconds of a calendar, or the number in a file's name.
struct FrameTime {
    double value = 0.0;
    bool dated = false;  ///< seconds
};

/// Follows the times of the frames that a stream takes. Whether a stream has times, and of which kind, its first frame
/// decides; without, every frame is one step after the one before.
class StreamClock {
 public:
    /// step: between frames, in seconds or in numbers, as they come; 0: `dated_step_s` for dates, or where that is 0
    /// too the least difference between two frames.
    StreamClock(double step, double dated_step_s) : step_(step), dated_step_s_(dated_step_s) {}

    enum class Order { next, late, same, unknown };

    /// What a frame is to the newest one.
    struct Distance {
        Order order = Order::next;  ///< unknown: no time in a stream of times, or one of another kind
        std::int64_t steps = 1;     ///< of `next`: 2 when one frame is missing between them
        bool off_step = false;      ///< not a whole number of steps, to a hundredth
        bool shorter = false;       ///< frames are closer together than those before: what was learned is void
    };
    Distance distance(const std::optional<FrameTime>& time) const;

    /// Takes a frame whose order is `next`.
    void advance(const std::optional<FrameTime>& time);

    nlohmann::json save() const;
    void load(const nlohmann::json& saved);

 private:
    double step() const;

    double step_;
    double dated_step_s_;
    double learned_ = 0.0;
    bool begun_ = false;
    std::optional<FrameTime> last_;
};

}  // namespace nowcell
