"""The loss that passes on what a teacher knows.

 * the teacher heard the clean utterance, the student its augmented crop
 * the head that reaches the teacher's space is for training alone: no
   package holds it
 * rows that the teacher does not know are masked, never left out: shapes
   stay, and each weight gets a gradient in each step

Shape letters: B batch, D emb_dim.

Authors
 * The speechbrain_moe developers 2026
"""

import torch
import torch.nn.functional as F
from torch import nn


class Distillation(nn.Module):
    """Loss that pulls embeddings, and their cosines, to a teacher's.

    Direct: a linear head maps the student's embedding to the teacher's
    space, ``mean(1 - cos)``. Pairwise: relational knowledge distillation of
    Park et al., 2019, section 3.2.1 (https://arxiv.org/abs/1904.05068), with
    cosines in the place of scaled distances, which suits embeddings that are
    compared by cosine, and their squared difference in the place of the
    Huber loss, since cosines are bounded. The head is thrown away.

    Arguments
    ---------
    emb_dim : int
        Size of the student's embedding, D.
    teacher_dim : int
        Size of the teacher's; 0 without a teacher: then there are no weights
        and no loss is to be asked for.
    direct_weight : float
        Weight of the direct term, 0 or more.
    pairwise_weight : float
        Weight of the pairwise term, 0 or more.

    Example
    -------
    >>> distillation = Distillation(4, 6, direct_weight=1, pairwise_weight=10)
    >>> mask = torch.tensor([True, False, True])
    >>> loss = distillation(torch.randn(3, 1, 4), torch.randn(3, 6), mask)
    >>> loss.shape
    torch.Size([])
    """

    def __init__(
        self, emb_dim, teacher_dim, direct_weight=1.0, pairwise_weight=0.0
    ):
        super().__init__()
        self.head = nn.Linear(emb_dim, teacher_dim) if teacher_dim else None
        self.direct_weight = direct_weight
        self.pairwise_weight = pairwise_weight

    def forward(self, embeddings, teacher, mask):
        """Weighted sum of both terms.

        Arguments
        ---------
        embeddings : torch.Tensor
            Student's embeddings [B, 1, D] or [B, D].
        teacher : torch.Tensor
            Teacher's embeddings [B, teacher_dim], finite; what masked-out
            rows hold has no effect.
        mask : torch.Tensor
            True for rows that count [B], bool.

        Returns
        -------
        torch.Tensor
            Scalar, float32 under any autocast. Without a row that counts it
            is 0, and every weight still gets a gradient, of zeros.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            student = F.normalize(embeddings.float().flatten(1), dim=1)
            teacher = F.normalize(teacher.float(), dim=1)
            direct = direct_loss(self.head(student), teacher, mask)
            pairwise = pairwise_loss(student, teacher, mask)
        return self.direct_weight * direct + self.pairwise_weight * pairwise


def direct_loss(predicted, teacher, mask):
    """Mean of 1 - cos over the rows that count.

    Arguments
    ---------
    predicted : torch.Tensor
        Student's embeddings in the teacher's space [B, D].
    teacher : torch.Tensor
        Teacher's embeddings [B, D], unit length.
    mask : torch.Tensor
        Rows that count [B], bool.

    Returns
    -------
    torch.Tensor
        Scalar in [0, 2]; 0 when no row counts.

    Example
    -------
    >>> ahead, back = torch.tensor([[2.0, 0.0]]), torch.tensor([[-1.0, 0.0]])
    >>> direct_loss(ahead, back, torch.tensor([True])).item()
    2.0
    """
    distances = 1 - (F.normalize(predicted, dim=1) * teacher).sum(1)
    return (distances * mask).sum() / mask.sum().clamp(min=1)


def pairwise_loss(student, teacher, mask):
    """Mean squared difference of the cosines of pairs that count.

    Arguments
    ---------
    student : torch.Tensor
        Student's embeddings [B, D], unit length.
    teacher : torch.Tensor
        Teacher's embeddings [B, teacher_dim], unit length.
    mask : torch.Tensor
        Rows that count [B], bool; a pair counts when both rows do.

    Returns
    -------
    torch.Tensor
        Scalar in [0, 4]; 0 with fewer than two rows.

    Example
    -------
    >>> same, apart = torch.ones(2, 1), torch.eye(2)
    >>> pairwise_loss(same, apart, torch.tensor([True, True])).item()
    1.0
    """
    pairs = (mask.unsqueeze(0) & mask.unsqueeze(1)).fill_diagonal_(False)
    difference = student @ student.T - teacher @ teacher.T
    return (difference.square() * pairs).sum() / pairs.sum().clamp(min=1)
