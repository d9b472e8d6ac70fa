"""train.py, with the loss of each step appended to a file as it is taken.

    python losses_of_steps.py <file> <arguments of train.py>

A line is "epoch step loss", the loss exact.
"""

import sys

import speaker_brain
import train


class WritingBrain(speaker_brain.SpeakerBrain):
    def on_fit_batch_end(self, batch, outputs, loss, should_step):
        with open(file, "a", encoding="utf-8") as out:
            print(self.epoch, self.step, float(loss).hex(), file=out)


if __name__ == "__main__":
    file, *arguments = sys.argv[1:]
    train.SpeakerBrain = WritingBrain
    train.main(arguments)
